"""What happened to a conversation, as the figures are worked out from it. Times are milliseconds since the epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

Span = tuple[int, int]
"""From (included) and to (not included)."""


class Who(Enum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    PHONE = "phone"
    MACHINE = "machine"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Written:
    """A message. `operator_id` is set for an operator's, `lane_id` for one that was sent in bulk."""

    at: int
    who: Who
    operator_id: UUID | None = None
    lane_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the timeline that moves a conversation; `to` is whose it becomes (None: nobody's)."""

    at: int
    action: str
    to: UUID | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation of the database, its steps in order, and those that became part of it."""

    id: UUID
    opened: int
    closed: int
    steps: Sequence[Step] = ()
    merged: Sequence["Thread"] = ()

    def all_steps(self) -> Iterator[Step]:
        """Yield its steps, and those of all that became part of it."""
        yield from self.steps
        for other in self.merged:
            yield from other.all_steps()


@dataclass(frozen=True, slots=True)
class History:
    """A finished conversation: its thread, and its messages in order."""

    thread: Thread
    messages: Sequence[Written]

    @property
    def exists(self) -> bool:
        """Whether it is a conversation at all, more than bulk messages and a closing."""
        return any(one.who is not Who.BULK for one in self.messages) or any(
            step.action != "closed" for step in self.thread.all_steps()
        )
