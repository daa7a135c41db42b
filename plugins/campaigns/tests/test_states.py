"""The states of a campaign: nothing leads out of the end, and no step but those in the table is ever taken."""

import pytest
from elsehu_campaigns.states import ADVICE, EDITABLE, OVER, TRANSITIONS, State, Step, after, refused
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from elsehu.plugin import Conflict

REACHED_BY_PEOPLE = [
    ("start", [Step.START], State.RUNNING),
    ("schedule, then its time comes", [Step.SCHEDULE, Step.START], State.RUNNING),
    ("pause and resume", [Step.START, Step.PAUSE, Step.RESUME], State.RUNNING),
    ("pause what waits for its time", [Step.SCHEDULE, Step.PAUSE, Step.SCHEDULE], State.SCHEDULED),
    ("cancel while paused", [Step.START, Step.PAUSE, Step.CANCEL], State.CANCELLED),
    ("finish", [Step.START, Step.FINISH], State.FINISHED),
    ("fail", [Step.SCHEDULE, Step.FAIL], State.FAILED),
]


@pytest.mark.parametrize(("name", "steps", "end"), REACHED_BY_PEOPLE, ids=[one[0] for one in REACHED_BY_PEOPLE])
def test_ways(name: str, steps: list[Step], end: State) -> None:
    state = State.DRAFT
    for step in steps:
        state = after(step, state)
    assert state is end


@given(step=st.sampled_from(Step), state=st.sampled_from(State))
def test_a_step_is_in_the_table_or_refused_with_advice(step: Step, state: State) -> None:
    if state in TRANSITIONS[step]:
        assert after(step, state) is TRANSITIONS[step][state]
        return
    with pytest.raises(Conflict) as caught:
        after(step, state)
    assert caught.value.code == f"campaign_{state}"
    assert ADVICE[state] in caught.value.detail
    assert caught.value.extra == {"state": state}


class Life(RuleBasedStateMachine):
    """Any steps in any order: a campaign's life follows the picture in docs/campaigns.md."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.DRAFT
        self.was_over: State | None = None

    @rule(step=st.sampled_from(Step))
    def try_step(self, step: Step) -> None:
        try:
            self.state = after(step, self.state)
        except Conflict:
            return
        assert self.was_over is None
        assert self.state is not State.DRAFT, "what has begun is never a draft again"
        if self.state in OVER:
            self.was_over = self.state

    @invariant()
    def the_end_is_for_good(self) -> None:
        assert self.was_over in (None, self.state)

    @invariant()
    def only_what_stands_still_is_edited(self) -> None:
        assert not EDITABLE & (OVER | {State.RUNNING, State.SCHEDULED})


TestLife = Life.TestCase


def test_every_state_has_advice() -> None:
    assert set(ADVICE) == set(State)
    assert "PATCH" not in refused("change", State.RUNNING).detail
