"""When a campaign stops itself."""

import pytest
from elsehu_campaigns.stopping import Rules, judge
from hypothesis import given
from hypothesis import strategies as st

RULES = Rules(error_rate=0.3, over=10, consecutive_failures=4)
CASES = [
    ("nothing yet", "", None),
    ("all well", "." * 30, None),
    ("a few in a row", "...xxx...", None),
    ("too many in a row", "...xxxx", "4 messages failed one after the other"),
    ("too many in a row, and well since", "xxxx....................", "4 messages failed one after the other"),
    ("too few to speak of a rate", ".x.x.x.x.", None),
    ("the rate", ".x..x..x..", "3 of 10 messages failed"),
    ("the rate, in the middle", "." * 20 + "x..x..x" + "." * 20, "3 of 10 messages failed"),
    ("just under the rate", ("x...." + ".") * 8, None),
]


@pytest.mark.parametrize(("name", "outcomes", "reason"), CASES, ids=[one[0] for one in CASES])
def test_cases(name: str, outcomes: str, reason: str | None) -> None:
    assert judge(RULES, [one == "x" for one in outcomes]) == reason


def test_rules_can_be_switched_off() -> None:
    assert judge(Rules(None, 10, None), [True] * 100) is None
    assert judge(Rules(None, 10, 4), [True, False] * 50) is None


@given(
    rate=st.floats(0.01, 1),
    over=st.integers(5, 20),
    run=st.integers(2, 10),
    failed=st.lists(st.booleans(), max_size=60),
)
def test_the_rules_are_what_they_say(rate: float, over: int, run: int, failed: list[bool]) -> None:
    in_a_row = any(all(failed[start : start + run]) for start in range(len(failed) - run + 1))
    too_often = any(sum(failed[start : start + over]) >= rate * over for start in range(len(failed) - over + 1))
    assert (judge(Rules(rate, over, run), failed) is not None) == (in_a_row or too_often)
