"""When a conversation was open, and who had it when: read off its steps."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from elsehu.reporting.history import Span, Step, Thread

MERGED = "merged"
"""The action of the moment in which another conversation became part of this one."""


@dataclass(frozen=True, slots=True)
class Stint:
    """From when to when an operator had a conversation."""

    operator_id: UUID
    start: int
    end: int


@dataclass(slots=True)
class Holding:
    """When a conversation was open, and who had it when. Where several were merged, stints may overlap."""

    open: list[Span] = field(default_factory=list)
    stints: list[Stint] = field(default_factory=list)

    @property
    def held(self) -> list[Span]:
        """When anybody had it."""
        return union((one.start, one.end) for one in self.stints)

    def held_by(self, operator_id: UUID) -> list[Span]:
        """When this operator had it."""
        return union((one.start, one.end) for one in self.stints if one.operator_id == operator_id)

    @property
    def first_taken(self) -> int | None:
        """When somebody first had it."""
        return min((one.start for one in self.stints), default=None)


def holding_of(thread: Thread) -> Holding:
    """Follow the steps of `thread`, and of all that became part of it."""
    holding = Holding()
    _walk(thread, holding)
    holding.open = union(holding.open)
    holding.stints.sort(key=lambda one: (one.start, one.end))
    return holding


def _walk(thread: Thread, holding: Holding) -> UUID | None:
    """Add the spans and stints of `thread`; return whose it was in the end."""
    steps = [*_clamped(thread), *_mergings(thread, holding)]
    steps.sort(key=lambda step: step.at)
    owner: UUID | None = None
    since, opened = thread.opened, thread.opened
    last, is_open = owner, True
    for step in [*steps, Step(thread.closed, "closed")]:
        if step.action == MERGED and (owner is not None or not is_open):
            continue
        if owner is not None:
            holding.stints.append(Stint(owner, since, step.at))
        if step.action == "closed" and is_open:
            holding.open.append((opened, step.at))
            is_open = False
        elif step.action == "reopened":
            opened, is_open = step.at, True
        last, owner, since = owner, step.to, step.at
    return last


def _clamped(thread: Thread) -> Iterator[Step]:
    """Yield the steps, their times in order, between opening and closing; the last closing is the thread's own."""
    steps = list(thread.steps)
    if steps and steps[-1].action == "closed":
        steps.pop()
    last = thread.opened
    for step in steps:
        last = thread.opened if step.action == "opened" else min(max(last, step.at), thread.closed)
        yield Step(last, step.action, step.to)


def _mergings(thread: Thread, holding: Holding) -> Iterator[Step]:
    """Yield when others became part of `thread`, and whose they were; add their own spans and stints."""
    for other in thread.merged:
        yield Step(other.closed, MERGED, _walk(other, holding))


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, those that touch made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined


def clipped(spans: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """Yield what of `spans` lies between `start` and `end`."""
    for one, other in spans:
        if other > start and one < end:
            yield max(one, start), min(other, end)
