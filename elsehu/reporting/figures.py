"""The figures of one conversation, each defined in docs/reports.md; durations are milliseconds, None: it has none."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from elsehu.reporting.clocks import Clock
from elsehu.reporting.history import Span
from elsehu.reporting.holding import Holding, clipped
from elsehu.reporting.turns import Response, Turns


@dataclass(frozen=True, slots=True)
class Told:
    """A conversation's history, read: when it was open and whose, and who waited for whom."""

    holding: Holding
    turns: Turns


def wait(told: Told, clock: Clock) -> int | None:
    """TME: from the customer's first message to the first reply."""
    first = told.turns.wait
    return None if first is None else _open_time(told, clock, first.start, first.end)


def first_response(told: Told, clock: Clock) -> int | None:
    """From when an operator first got it, or the customer first wrote, to the first reply."""
    first, taken = told.turns.wait, told.holding.first_taken
    if first is None or taken is None or taken > first.end:
        return None
    return _open_time(told, clock, max(taken, first.start), first.end)


def own_first_response(told: Told, clock: Clock, operator_id: UUID) -> int | None:
    """The same for the operator whose reply it was, from when he last got it; None for the others."""
    first = told.turns.wait
    if first is None or first.operator_id != operator_id:
        return None
    taken = [start for start, _ in told.holding.held_by(operator_id) if start <= first.end]
    return _open_time(told, clock, max(taken[-1], first.start), first.end) if taken else None


def operator_response(told: Told, clock: Clock, operator_id: UUID | None = None) -> int | None:
    """The mean of the operators' responses, or of one operator's."""
    return _mean(_open_time(told, clock, one.start, one.end) for one in responses(told, operator_id))


def customer_response(told: Told, clock: Clock) -> int | None:
    """The mean of the customer's answers."""
    return _mean(_open_time(told, clock, start, end) for start, end in told.turns.answers)


def handling(told: Told, clock: Clock, operator_id: UUID | None = None) -> int | None:
    """TMA: how long somebody, or one operator, had it."""
    if not any(operator_id in (None, one.operator_id) for one in told.holding.stints):
        return None
    return _length(clock, told.holding.held if operator_id is None else told.holding.held_by(operator_id))


def queue(told: Told, clock: Clock) -> int:
    """How long it was open and nobody had it."""
    return duration(told, clock) - _length(clock, told.holding.held)


def duration(told: Told, clock: Clock) -> int:
    """How long it was open."""
    return _length(clock, told.holding.open)


def responses(told: Told, operator_id: UUID | None = None) -> list[Response]:
    """Return the operators' responses, or one operator's."""
    return [one for one in told.turns.responses if operator_id in (None, one.operator_id)]


def _open_time(told: Told, clock: Clock, start: int, end: int) -> int:
    return _length(clock, clipped(told.holding.open, start, end))


def _length(clock: Clock, spans: Iterable[Span]) -> int:
    return sum(clock.between(start, end) for start, end in spans)


def _mean(values: Iterable[int]) -> int | None:
    """Return the mean, rounded, halves up."""
    all_of_them = list(values)
    count = len(all_of_them)
    return (2 * sum(all_of_them) + count) // (2 * count) if count else None
