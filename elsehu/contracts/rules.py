"""What the desk's rules are asked and what they answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import FieldError
from elsehu.contracts.user import Queue

BUILT_IN_ASSIGNMENT = ("round_robin", "least_busy")
"""The rules for `[desk] assignment` that need no plugin."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A conversation about to be closed: which tabulation, with what notes and fields, by whom.

    `rule` is what the tabulation names for plugins to go by. The fields that it requires are there.
    """

    conversation_id: UUID
    instance_id: UUID
    tabulation_id: UUID
    tabulation_name: str
    notes: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    user_id: UUID | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done, field by field."""

    detail: str
    errors: Sequence[FieldError] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits for an operator, none older in its queue before it.

    Attributes:
        since: by which the queue is ordered: when it was opened, or reopened.
        last_operator: who closed the customer's last conversation on this number, if that was within
            `[desk] sticky_hours` before this one.
    """

    conversation_id: UUID
    contact_id: UUID
    queue: Queue
    since: datetime
    tags: tuple[str, ...] = ()
    last_operator: UUID | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operator who might get a conversation, as he stands now.

    Attributes:
        presence: `online`, `away` or `offline`.
        load: how many open conversations he has, however he came by them.
        capacity: with how many he gets no more automatically.
        serves: whether he is of the conversation's team, or its number is one of his.
        on_duty: whether it is within his working hours.
        gave_back: whether he had this conversation and gave it back.
        last_given_at: when he was last given one automatically.
    """

    user_id: UUID
    name: str
    presence: str
    load: int
    capacity: int
    serves: bool = True
    on_duty: bool = True
    gave_back: bool = False
    last_given_at: datetime | None = None

    @property
    def is_free(self) -> bool:
        """Whether he may be given the conversation. Whatever a rule decides, nobody else gets it."""
        can = self.presence == "online" and self.load < self.capacity
        return can and self.serves and self.on_duty and not self.gave_back


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that an assignment rule decides by: no clock, no database, the same answer each time."""

    waiting: Waiting
    candidates: Sequence[Candidate]
    now: datetime

    @property
    def free(self) -> Sequence[Candidate]:
        """Those who may be given the conversation."""
        return [one for one in self.candidates if one.is_free]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who gets a conversation, and why, in words for its timeline."""

    user_id: UUID
    reasons: Sequence[str] = ()
