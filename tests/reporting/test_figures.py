"""Each figure on small histories, told in minutes. What docs/reports.md says, one line each."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from elsehu.reporting import figures
from elsehu.reporting.clocks import Business, Calendar
from elsehu.reporting.figures import Told
from elsehu.reporting.history import History, Step, Thread, Who, Written
from elsehu.reporting.holding import holding_of
from elsehu.reporting.turns import lane_of, turns_of

MINUTE = 60_000
ANA, BOB = UUID(int=1), UUID(int=2)
LANE, OTHER_LANE = UUID(int=8), UUID(int=9)
ALWAYS = Calendar()

Message = tuple[int, str]
Move = tuple[int, str, UUID | None]


def written(messages: Sequence[Message]) -> list[Written]:
    """`c` customer, `a` and `b` operators, `p` phone, `m` machine, `1` and `2` bulk."""
    authors = {
        "c": (Who.CUSTOMER, None, None),
        "a": (Who.OPERATOR, ANA, None),
        "b": (Who.OPERATOR, BOB, None),
        "p": (Who.PHONE, None, None),
        "m": (Who.MACHINE, None, None),
        "1": (Who.BULK, None, LANE),
        "2": (Who.BULK, None, OTHER_LANE),
    }
    return [Written(at * MINUTE, *authors[who]) for at, who in messages]


def thread(moves: Sequence[Move], opened: int = 0, closed: int = 100, merged: Sequence[Thread] = ()) -> Thread:
    steps = [Step(at * MINUTE, action, to) for at, action, to in moves]
    return Thread(UUID(int=100), opened * MINUTE, closed * MINUTE, steps, merged)


def told(messages: Sequence[Message] = (), moves: Sequence[Move] = (), **more: int) -> Told:
    return Told(holding_of(thread(moves, **more)), turns_of(written(messages)))


def minutes(value: int | None) -> float | None:
    return None if value is None else value / MINUTE


TAKEN: list[Move] = [(5, "assigned", ANA)]
REOPENED: list[Move] = [(5, "assigned", ANA), (20, "closed", None), (50, "reopened", BOB)]


@pytest.mark.parametrize(
    ("what", "messages", "moves", "wait", "first_response"),
    [
        ("the reply ends it", [(0, "c"), (8, "a")], TAKEN, 8, 3),
        ("only the first counts", [(0, "c"), (8, "a"), (9, "c"), (30, "a")], TAKEN, 8, 3),
        ("the customer writes on", [(0, "c"), (6, "c"), (8, "a")], TAKEN, 8, 3),
        ("nobody replied", [(0, "c")], TAKEN, None, None),
        ("a machine is nobody", [(0, "c"), (1, "m"), (8, "a")], TAKEN, 8, 3),
        ("neither is a campaign", [(0, "c"), (1, "1"), (8, "a")], TAKEN, 8, 3),
        ("the phone was faster", [(0, "c"), (2, "p"), (8, "a")], TAKEN, None, None),
        ("the phone comes later", [(0, "c"), (8, "a"), (9, "p")], TAKEN, 8, 3),
        ("we wrote first", [(6, "a"), (7, "c"), (8, "a")], TAKEN, None, None),
        ("a campaign wrote first", [(-30, "1"), (0, "c"), (8, "a")], TAKEN, 8, 3),
        ("taken before the customer wrote", [(6, "c"), (8, "a")], TAKEN, 2, 2),
        ("a supervisor replied before it was taken", [(0, "c"), (3, "b")], TAKEN, 3, None),
        ("nobody ever took it", [(0, "c"), (3, "b")], [], 3, None),
        ("taken, released, taken", [(0, "c"), (30, "b")],
         [(5, "assigned", ANA), (9, "released", None), (20, "assigned", BOB)], 30, 25),
        ("it stood closed meanwhile", [(0, "c"), (60, "b")], REOPENED, 30, 25),
        ("what came before the opening waits from there", [(-10, "c"), (8, "a")], TAKEN, 8, 3),
    ],
)  # fmt: skip
def test_wait_and_first_response(
    what: str, messages: list[Message], moves: list[Move], wait: float | None, first_response: float | None
) -> None:
    one = told(messages, moves)
    assert minutes(figures.wait(one, ALWAYS)) == wait
    assert minutes(figures.first_response(one, ALWAYS)) == first_response


@pytest.mark.parametrize(
    ("what", "messages", "moves", "operator", "customer"),
    [
        ("each first unanswered message", [(0, "c"), (1, "c"), (4, "a"), (10, "c"), (12, "a")], TAKEN, 3, 6),
        ("each last reply", [(0, "c"), (4, "a"), (5, "a"), (10, "c")], TAKEN, 4, 5),
        ("the phone answers for nobody", [(0, "c"), (4, "p"), (10, "c"), (12, "a"), (20, "c")], TAKEN, 2, 7),
        ("machines and campaigns neither", [(0, "c"), (1, "m"), (4, "a"), (5, "1"), (10, "c")], TAKEN, 4, 6),
        ("nobody answered anybody", [(0, "c"), (1, "c")], TAKEN, None, None),
        ("an answer to a campaign is none", [(-9, "1"), (0, "c")], TAKEN, None, None),
        ("what stood closed counts for nothing", [(0, "c"), (15, "a"), (60, "c"), (62, "b")], REOPENED, 8.5, 15),
    ],
)
def test_mean_response_times(
    what: str, messages: list[Message], moves: list[Move], operator: float | None, customer: float | None
) -> None:
    one = told(messages, moves)
    assert minutes(figures.operator_response(one, ALWAYS)) == operator
    assert minutes(figures.customer_response(one, ALWAYS)) == customer


def test_a_mean_is_rounded_to_milliseconds() -> None:
    turns = turns_of([Written(at, who, ANA if who is Who.OPERATOR else None) for at, who in [
        (0, Who.CUSTOMER), (1, Who.OPERATOR), (2, Who.CUSTOMER), (4, Who.OPERATOR)]])  # fmt: skip
    assert figures.operator_response(Told(holding_of(Thread(ANA, 0, 9)), turns), ALWAYS) == 2


@pytest.mark.parametrize(
    ("what", "moves", "handling", "queue", "duration"),
    [
        ("nobody took it", [], None, 100, 100),
        ("taken until the end", TAKEN, 95, 5, 100),
        ("opened by its operator", [(1, "opened", ANA)], 100, 0, 100),
        ("opened for the queue", [(1, "opened", None), (10, "assigned", ANA)], 90, 10, 100),
        ("handed on", [(5, "assigned", ANA), (30, "transferred", BOB)], 95, 5, 100),
        ("back to the queue and taken again",
         [(5, "assigned", ANA), (30, "transferred", None), (50, "assigned", BOB), (60, "released", None)], 35, 65, 100),
        ("reopened", REOPENED, 15 + 50, 5, 70),
        ("reopened for the queue", [(5, "assigned", ANA), (20, "closed", None), (50, "reopened", None)], 15, 55, 70),
        ("the last closing is when it is closed", [*TAKEN, (99, "closed", None)], 95, 5, 100),
        ("steps whose clock is off",
         [(5, "assigned", ANA), (3, "released", None), (120, "assigned", BOB)], 0, 100, 100),
    ],
)  # fmt: skip
def test_handling_queue_and_duration(
    what: str, moves: list[Move], handling: float | None, queue: float, duration: float
) -> None:
    one = told([], moves)
    assert minutes(figures.handling(one, ALWAYS)) == handling
    assert minutes(figures.queue(one, ALWAYS)) == queue
    assert minutes(figures.duration(one, ALWAYS)) == duration


def test_an_operators_own_part() -> None:
    moves: list[Move] = [(5, "assigned", ANA), (9, "transferred", BOB), (20, "transferred", ANA)]
    one = told([(0, "c"), (15, "b"), (16, "c"), (25, "a"), (30, "c"), (40, "a")], moves)
    assert [minutes(figures.handling(one, ALWAYS, who)) for who in (ANA, BOB)] == [84, 11]
    assert [minutes(figures.operator_response(one, ALWAYS, who)) for who in (ANA, BOB)] == [9.5, 15]
    assert [minutes(figures.own_first_response(one, ALWAYS, who)) for who in (ANA, BOB)] == [None, 6]
    assert minutes(figures.first_response(one, ALWAYS)) == 10


class TestMerged:
    """Two conversations that became one: each had its own operator until then."""

    def test_whose_it_was_stays_his(self) -> None:
        other = thread([(10, "assigned", BOB)], opened=8, closed=40)
        holding = holding_of(thread([(20, "assigned", ANA)], merged=[other]))
        assert [(one.operator_id, one.start / MINUTE, one.end / MINUTE) for one in holding.stints] == [
            (BOB, 10, 40), (ANA, 20, 100)]  # fmt: skip
        one = Told(holding, turns_of([]))
        assert minutes(figures.handling(one, ALWAYS)) == 90
        assert minutes(figures.queue(one, ALWAYS)) == 10

    def test_else_it_is_the_others(self) -> None:
        other = thread([(10, "assigned", BOB)], opened=8, closed=40)
        holding = holding_of(thread([(70, "released", None)], merged=[other]))
        assert [(one.operator_id, one.start / MINUTE, one.end / MINUTE) for one in holding.stints] == [
            (BOB, 10, 40), (BOB, 40, 70)]  # fmt: skip

    def test_of_several_generations(self) -> None:
        youngest = thread([(10, "assigned", BOB)], opened=8, closed=20)
        holding = holding_of(thread([], merged=[thread([], opened=5, closed=30, merged=[youngest])]))
        assert holding.held == [(10 * MINUTE, 100 * MINUTE)]

    def test_what_was_dormant_opened_nothing(self) -> None:
        """A conversation with bulk messages alone has no time of its own: it ends as it begins."""
        slept = thread([], opened=40, closed=40)
        one = Told(holding_of(thread(REOPENED, merged=[slept])), turns_of([]))
        assert minutes(figures.duration(one, ALWAYS)) == 70


def test_the_business_clock_counts_open_time_within_its_spans() -> None:
    clock = Business([(0, 6 * MINUTE), (10 * MINUTE, 15 * MINUTE), (55 * MINUTE, 58 * MINUTE)])
    one = told([(0, "c"), (60, "b")], REOPENED)
    assert minutes(figures.wait(one, clock)) == 14
    assert minutes(figures.queue(one, clock)) == 5
    assert minutes(figures.handling(one, clock)) == 9
    assert minutes(figures.duration(one, clock)) == 14


@pytest.mark.parametrize(
    ("messages", "lane"),
    [
        ([(0, "c"), (8, "a")], None),
        ([(-9, "1"), (0, "c")], LANE),
        ([(-9, "1"), (-5, "2"), (0, "c"), (3, "1"), (4, "c")], OTHER_LANE),
        ([(0, "c"), (3, "1"), (4, "c")], None),
        ([(-9, "1")], None),
    ],
)
def test_a_conversation_is_the_campaigns_that_the_customer_answered(messages: list[Message], lane: UUID | None) -> None:
    assert lane_of(written(messages)) == lane


@pytest.mark.parametrize(
    ("messages", "moves", "exists"),
    [
        ([(0, "c")], [], True),
        ([(0, "p")], [], True),
        ([], [(0, "opened", None)], True),
        ([(0, "1")], [(9, "closed", None)], False),
        ([(0, "1")], [(5, "assigned", ANA), (9, "closed", None)], True),
        ([], [], False),
    ],
)
def test_bulk_messages_alone_are_no_conversation(messages: list[Message], moves: list[Move], exists: bool) -> None:
    assert History(thread(moves), written(messages)).exists is exists
