"""Who gets a conversation: the built-in rules are fair, keep to whom they may choose, and say why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.rules import BUILT_IN_ASSIGNMENT, Candidate, Decision, Snapshot, Waiting
from elsehu.contracts.user import Queue
from elsehu.desk.automatic.rules import RULES, Rule

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WAITING = Waiting(UUID(int=1), UUID(int=2), Queue(UUID(int=3)), NOW)
PEOPLE = [UUID(int=100 + number) for number in range(8)]
TIMES = st.none() | st.integers(0, 10_000).map(lambda seconds: NOW - timedelta(seconds=seconds))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    people = draw(st.lists(st.sampled_from(PEOPLE), unique=True))
    return [
        Candidate(
            user_id=user_id,
            name="Ana",
            presence=draw(st.sampled_from(["online", "online", "away", "offline"])),
            load=draw(st.integers(0, 5)),
            capacity=draw(st.integers(0, 5)),
            serves=draw(st.booleans()),
            on_duty=draw(st.booleans()),
            gave_back=draw(st.booleans()),
            last_given_at=draw(TIMES),
        )
        for user_id in people
    ]


def is_free(user_id: UUID, load: int = 0, last: int | None = None) -> Candidate:
    """An operator who may be given a conversation, and was one so many seconds ago."""
    return Candidate(user_id, "Ana", "online", load, 9, last_given_at=last and NOW - timedelta(seconds=last))


def asked(rule: Rule, people: Sequence[Candidate], last: UUID | None = None) -> Decision | None:
    return rule(Snapshot(replace(WAITING, last_operator=last), people, NOW))


def test_every_rule_that_can_be_configured_is_there() -> None:
    assert set(RULES) == set(BUILT_IN_ASSIGNMENT)


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({}, True),
        ({"presence": "away"}, False),
        ({"presence": "offline"}, False),
        ({"load": 9}, False),
        ({"load": 10}, False),
        ({"capacity": 0}, False),
        ({"serves": False}, False),
        ({"on_duty": False}, False),
        ({"gave_back": True}, False),
    ],
)
def test_who_is_free(change: dict[str, object], free: bool) -> None:
    assert replace(is_free(PEOPLE[0]), **change).is_free is free  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
class TestEveryRule:
    @given(people=candidates(), last=st.none() | st.sampled_from(PEOPLE))
    def test_somebody_who_is_free_gets_it_if_there_is_one(
        self, rule: Rule, people: list[Candidate], last: UUID | None
    ) -> None:
        decision = asked(rule, people, last)
        free = {one.user_id for one in people if one.is_free}
        assert (decision is not None) == bool(free)
        if decision is not None:
            assert decision.user_id in free
            assert all(decision.reasons)

    @given(people=candidates(), last=st.sampled_from(PEOPLE))
    def test_the_last_operator_gets_it_while_he_is_free(self, rule: Rule, people: list[Candidate], last: UUID) -> None:
        decision = asked(rule, people, last)
        if last in {one.user_id for one in people if one.is_free}:
            assert decision is not None
            assert decision.user_id == last
        else:
            assert decision == asked(rule, people)

    @given(people=candidates(), order=st.randoms(use_true_random=False))
    def test_the_order_of_the_candidates_does_not_matter(
        self, rule: Rule, people: list[Candidate], order: object
    ) -> None:
        shuffled = list(people)
        order.shuffle(shuffled)  # type: ignore[attr-defined]
        assert asked(rule, shuffled) == asked(rule, people)


@given(count=st.integers(1, 8), rounds=st.integers(1, 5), loads=st.lists(st.integers(0, 8), min_size=8, max_size=8))
def test_by_turns_everybody_gets_the_same_whatever_they_have(count: int, rounds: int, loads: list[int]) -> None:
    people = [is_free(user_id, load) for user_id, load in zip(PEOPLE[:count], loads, strict=False)]
    got = Counter(given_in_turn(people, count * rounds))
    assert got == dict.fromkeys(PEOPLE[:count], rounds)


def given_in_turn(people: list[Candidate], times: int) -> list[UUID]:
    """Give so many conversations by turns, closed as soon as they are given."""
    chosen = []
    for time in range(times):
        decision = asked(RULES["round_robin"], people)
        assert decision is not None
        chosen.append(decision.user_id)
        at = NOW + timedelta(seconds=time)
        people = [replace(one, last_given_at=at) if one.user_id == decision.user_id else one for one in people]
    return chosen


@given(st.lists(st.sets(st.sampled_from(PEOPLE), min_size=1), min_size=1, max_size=60))
def test_by_turns_nobody_who_is_free_is_passed_over_twice_for_one(free: list[set[UUID]]) -> None:
    """Whoever comes and goes: between two turns of one operator, all who were free throughout had theirs."""
    last: dict[UUID, int] = {}
    for time, now_free in enumerate(free):
        people = [is_free(user_id) for user_id in now_free]
        people = [replace(one, last_given_at=at(last.get(one.user_id))) for one in people]
        decision = asked(RULES["round_robin"], people)
        assert decision is not None
        before = last.get(decision.user_id, -1)
        throughout = set.intersection(*free[before + 1 : time + 1])
        if before >= 0:
            assert all(last.get(user_id, -1) > before for user_id in throughout - {decision.user_id})
        last[decision.user_id] = time


def at(time: int | None) -> datetime | None:
    return None if time is None else NOW + timedelta(seconds=time)


@given(loads=st.lists(st.integers(0, 20), min_size=1, max_size=8), count=st.integers(0, 80))
def test_by_load_the_load_is_levelled(loads: list[int], count: int) -> None:
    """However uneven it was: nobody gets one while somebody else has less."""
    people = [replace(is_free(user_id, load), capacity=99) for user_id, load in zip(PEOPLE, loads, strict=False)]
    for time in range(count):
        decision = asked(RULES["least_busy"], people)
        assert decision is not None
        [chosen] = [one for one in people if one.user_id == decision.user_id]
        assert chosen.load == min(one.load for one in people)
        people.remove(chosen)
        people.append(replace(chosen, load=chosen.load + 1, last_given_at=at(time)))
    if count >= sum(max(loads) - load for load in loads):
        assert max(one.load for one in people) - min(one.load for one in people) <= 1


def test_the_reasons_are_words_for_people() -> None:
    people = [is_free(PEOPLE[0], 2, 60), is_free(PEOPLE[1], 1, 90), is_free(PEOPLE[2], 0)]
    assert asked(RULES["least_busy"], people) == Decision(
        PEOPLE[2], ["has the fewest conversations: 0 of 9", "was not given one yet", "one of 3 who were free"]
    )
    assert asked(RULES["round_robin"], people[:2]) == Decision(
        PEOPLE[1], ["was given one last at 2026-11-23T11:58:30.000Z", "one of 2 who were free"]
    )
    assert asked(RULES["round_robin"], people, PEOPLE[0]) == Decision(
        PEOPLE[0], ["had the customer's last conversation"]
    )
