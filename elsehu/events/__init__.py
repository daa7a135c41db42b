"""The outbox: events are committed with the change that they tell of, and read in an order that skips nothing.

Sequence numbers are not commit order: a transaction that commits late would be skipped by "everything after
number n". So a position in the outbox is a PostgreSQL snapshot: "everything that this snapshot did not see"
is exactly what its holder has not been given, no more and no less.

An event is a reference: what frontends and plugins are shown is rendered from the rows at delivery, so it
is always what REST would say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.db import UnitOfWork

SIGNAL = "events"


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell: an event type (`message:new`), what it is about, and in which conversation.

    `data` is only for what can't be read from the subject afterwards.
    """

    type: str
    subject_id: UUID | None
    conversation_id: UUID | None = None
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A committed Change, with its number (unique) and time."""

    seq: int
    type: str
    subject_id: UUID | None
    conversation_id: UUID | None
    data: dict[str, Any] | None
    at: datetime


RECORD = """
INSERT INTO events (type, subject_id, conversation_id, data)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::jsonb[])
"""


async def record(uow: UnitOfWork, changes: Sequence[Change]) -> None:
    """Put `changes` into the outbox, in this order, and wake the relays once it is committed."""
    if not changes:
        return
    await uow.execute(
        RECORD,
        [change.type for change in changes],
        [change.subject_id for change in changes],
        [change.conversation_id for change in changes],
        [None if change.data is None else orjson.dumps(change.data, default=str).decode() for change in changes],
    )
    uow.signal(SIGNAL)
