"""Which conversation does it belong to? The open one, a closed one if it comes late, or a new one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from elsehu import events
from elsehu.db import Row, UnitOfWork
from elsehu.events import Change
from elsehu.ids import new_id

Pair = tuple[UUID, UUID]
"""(contact id, instance id)"""

FIND = """
SELECT c.* FROM unnest($1::uuid[], $2::uuid[]) AS p(contact_id, instance_id)
CROSS JOIN LATERAL (
    (SELECT id, contact_id, instance_id, opened_at, NULL::timestamptz AS closed_at, last_inbound_at, window_expires_at
     FROM conversations
     WHERE contact_id = p.contact_id AND instance_id = p.instance_id AND status <> 'closed')
    UNION ALL
    (SELECT id, contact_id, instance_id, opened_at, closed_at, last_inbound_at, window_expires_at
     FROM conversations
     WHERE contact_id = p.contact_id AND instance_id = p.instance_id AND status = 'closed' AND merged_into IS NULL
     ORDER BY closed_at DESC LIMIT 3)
) c
ORDER BY c.closed_at NULLS LAST
"""
"""The open conversation of each pair (index conversations_one_open) and the last closed ones
(index conversations_closed)."""

LOCK_OPEN = """
SELECT id FROM conversations WHERE id = ANY($1::uuid[]) AND status <> 'closed' ORDER BY id FOR UPDATE
"""

OPEN = """
INSERT INTO conversations (id, contact_id, instance_id, status, opened_at, last_activity_at, tags, window_expires_at)
SELECT id, contact_id, instance_id, 'queued', opened_at, opened_at, '{}', until
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[])
    AS n(id, contact_id, instance_id, opened_at, until)
"""


class ClosedMeanwhile(Exception):
    """A conversation was closed between reading and locking it: read again."""


@dataclass(slots=True)
class Thread:
    """A conversation of a pair, as a batch sees it."""

    id: UUID
    opened_at: datetime
    closed_at: datetime | None = None
    last_inbound_at: datetime | None = None
    window_expires_at: datetime | None = None
    is_new: bool = False


def _thread(row: Row) -> Thread:
    return Thread(row["id"], row["opened_at"], row["closed_at"], row["last_inbound_at"], row["window_expires_at"])


@dataclass(slots=True)
class Threads:
    """The conversations of one batch's pairs: found and locked, or to be opened when `save` is called."""

    _open: dict[Pair, Thread] = field(default_factory=dict)
    _closed: dict[Pair, list[Thread]] = field(default_factory=dict)

    @classmethod
    async def find(cls, uow: UnitOfWork, pairs: Iterable[Pair]) -> "Threads":
        """Read and lock the conversations of `pairs`. Raises ClosedMeanwhile."""
        threads = cls()
        wanted = sorted(set(pairs))
        if wanted:
            contacts, instances = zip(*wanted, strict=True)
            for row in await uow.fetch(FIND, contacts, instances):
                threads._learn((row["contact_id"], row["instance_id"]), _thread(row))
        await threads._lock(uow)
        return threads

    def _learn(self, pair: Pair, thread: Thread) -> None:
        if thread.closed_at is not None:
            self._closed.setdefault(pair, []).append(thread)
        else:
            self._open[pair] = thread

    async def _lock(self, uow: UnitOfWork) -> None:
        wanted = [thread.id for thread in self._open.values()]
        if wanted and len(await uow.fetch(LOCK_OPEN, wanted)) < len(wanted):
            raise ClosedMeanwhile

    def of_inbound(self, pair: Pair, at: datetime) -> Thread:
        """Return the conversation of a customer's message: the open one, or a new one.

        One that is older than the last message of a closed conversation comes late: it belongs to the first
        such, and opens nothing.
        """
        late = next((one for one in self._closed.get(pair, ()) if _is_before(at, one.last_inbound_at)), None)
        return late or self._open.get(pair) or self._new(pair, at)

    def of_outbound(self, pair: Pair, at: datetime) -> Thread:
        """Return the conversation of what left by another road: it reopens nothing that is closed."""
        return self.last(pair) or self._new(pair, at)

    def last(self, pair: Pair) -> Thread | None:
        """Return the open conversation, or the last closed one, or None."""
        closed = self._closed.get(pair)
        return self._open.get(pair) or (closed[-1] if closed else None)

    def _new(self, pair: Pair, at: datetime) -> Thread:
        """The customer's service window stays open over a closing."""
        windows = [one.window_expires_at for one in self._closed.get(pair, ()) if one.window_expires_at]
        thread = self._open[pair] = Thread(new_id(), at, window_expires_at=max(windows, default=None), is_new=True)
        return thread

    async def save(self, uow: UnitOfWork) -> Sequence[tuple[Pair, Thread]]:
        """Open the new conversations and tell of them. Returns them."""
        new = [(pair, thread) for pair, thread in self._open.items() if thread.is_new]
        if new:
            await uow.execute(
                OPEN,
                [thread.id for _, thread in new],
                [pair[0] for pair, _ in new],
                [pair[1] for pair, _ in new],
                [thread.opened_at for _, thread in new],
                [thread.window_expires_at for _, thread in new],
            )
            await events.record(uow, [Change("conversation:new", thread.id, thread.id) for _, thread in new])
        return new


def _is_before(at: datetime, other: datetime | None) -> bool:
    return other is not None and at < other
