"""Which conversation does it belong to? The open one, a closed one if it comes late, or a new one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu import events
from elsehu.contracts.inbound import MessageArrived
from elsehu.db import Row, UnitOfWork
from elsehu.events import Change
from elsehu.ids import new_id

Pair = tuple[UUID, UUID]
"""(contact id, instance id)"""

FIND = """
SELECT c.* FROM unnest($1::uuid[], $2::uuid[]) AS p(contact_id, instance_id)
CROSS JOIN LATERAL (
    (SELECT id, contact_id, instance_id, NULL::timestamptz AS closed_at, last_inbound_at, window_expires_at
     FROM conversations
     WHERE contact_id = p.contact_id AND instance_id = p.instance_id AND status <> 'closed')
    UNION ALL
    (SELECT id, contact_id, instance_id, closed_at, last_inbound_at, window_expires_at
     FROM conversations
     WHERE contact_id = p.contact_id AND instance_id = p.instance_id AND status = 'closed' AND merged_into IS NULL
     ORDER BY closed_at DESC LIMIT 3)
) c
ORDER BY c.closed_at NULLS LAST
"""
"""The open conversation of each pair (index conversations_one_open) and the last closed ones
(index conversations_closed)."""

LOCK_OPEN = """
SELECT id, status FROM conversations WHERE id = ANY($1::uuid[]) AND status <> 'closed' ORDER BY id FOR UPDATE
"""

_REASONS = """
WITH reasons AS (
    SELECT r.id, min(r.at) AS at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS r(id, instance_id, external_id, at)
    WHERE NOT EXISTS (
        SELECT 1 FROM messages m WHERE m.instance_id = r.instance_id AND m.external_id = r.external_id)
    GROUP BY r.id
)
"""
"""Of the messages that would open or wake conversations, those that are not there yet: what comes again opens nothing.
"""

OPEN = (
    _REASONS
    + """
INSERT INTO conversations (id, contact_id, instance_id, status, opened_at, last_activity_at, tags, window_expires_at)
SELECT n.id, contact_id, instance_id, 'queued', r.at, r.at, '{}', until
FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::timestamptz[]) AS n(id, contact_id, instance_id, until)
JOIN reasons r ON r.id = n.id RETURNING id
"""
)

WAKE = (
    _REASONS
    + """
UPDATE conversations v SET status = 'queued', opened_at = r.at, first_reply_at = NULL
FROM reasons r WHERE v.id = r.id RETURNING v.id
"""
)
"""The customer answers: from then on people wait for each other."""


class ClosedMeanwhile(Exception):
    """A conversation was closed between reading and locking it: read again."""


@dataclass(slots=True)
class Thread:
    """A conversation of a pair, as a batch sees it. `reasons` are messages that open it, or wake it."""

    id: UUID
    closed_at: datetime | None = None
    last_inbound_at: datetime | None = None
    window_expires_at: datetime | None = None
    is_new: bool = False
    is_dormant: bool = False
    reasons: list[MessageArrived] = field(default_factory=list)


def _thread(row: Row) -> Thread:
    return Thread(row["id"], row["closed_at"], row["last_inbound_at"], row["window_expires_at"])


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
        wanted = {thread.id: thread for thread in self._open.values()}
        rows = await uow.fetch(LOCK_OPEN, list(wanted)) if wanted else []
        if len(rows) < len(wanted):
            raise ClosedMeanwhile
        for row in rows:
            wanted[row["id"]].is_dormant = row["status"] == "dormant"

    def of_inbound(self, pair: Pair, event: MessageArrived) -> Thread:
        """Return the conversation of a customer's message: the open one, which it wakes if need be, or a new one.

        One that is older than the last message of a closed conversation comes late: it belongs to the first
        such, and opens nothing.
        """
        late = next((one for one in self._closed.get(pair, ()) if _is_before(event.at, one.last_inbound_at)), None)
        thread = late or self._open.get(pair)
        if thread is None:
            return self._new(pair, event)
        if thread.is_new or thread.is_dormant:
            thread.reasons.append(event)
        return thread

    def of_outbound(self, pair: Pair, event: MessageArrived) -> Thread:
        """Return the conversation of what left by another road: it reopens and wakes nothing."""
        return self.last(pair) or self._new(pair, event)

    def last(self, pair: Pair) -> Thread | None:
        """Return the open conversation, or the last closed one, or None."""
        closed = self._closed.get(pair)
        return self._open.get(pair) or (closed[-1] if closed else None)

    def _new(self, pair: Pair, event: MessageArrived) -> Thread:
        """The customer's service window stays open over a closing."""
        windows = [one.window_expires_at for one in self._closed.get(pair, ()) if one.window_expires_at]
        window = max(windows, default=None)
        thread = self._open[pair] = Thread(new_id(), window_expires_at=window, is_new=True, reasons=[event])
        return thread

    async def save(self, uow: UnitOfWork) -> Sequence[Pair]:
        """Open the new conversations, wake the dormant ones that were answered, tell of both. Returns their pairs."""
        pairs = {thread.id: pair for pair, thread in self._open.items() if thread.reasons}
        opened = [*await self._open_new(uow), *await self._wake(uow)]
        await events.record(uow, [Change("conversation:new", one, one) for one in opened])
        return [pairs[one] for one in opened]

    async def _open_new(self, uow: UnitOfWork) -> Sequence[UUID]:
        new = [(pair, thread) for pair, thread in self._open.items() if thread.is_new]
        if not new:
            return []
        rows = await uow.fetch(
            OPEN,
            *_reasons(new),
            [thread.id for _, thread in new],
            [pair[0] for pair, _ in new],
            [pair[1] for pair, _ in new],
            [thread.window_expires_at for _, thread in new],
        )
        return [row["id"] for row in rows]

    async def _wake(self, uow: UnitOfWork) -> Sequence[UUID]:
        answered = [(pair, thread) for pair, thread in self._open.items() if thread.is_dormant and thread.reasons]
        rows = await uow.fetch(WAKE, *_reasons(answered)) if answered else []
        return [row["id"] for row in rows]


def _reasons(threads: Sequence[tuple[Pair, Thread]]) -> tuple[list[Any], ...]:
    reasons = [(thread.id, instance_id, event) for (_, instance_id), thread in threads for event in thread.reasons]
    return (
        [thread_id for thread_id, _, _ in reasons],
        [instance_id for _, instance_id, _ in reasons],
        [event.external_id for _, _, event in reasons],
        [event.at for _, _, event in reasons],
    )


def _is_before(at: datetime, other: datetime | None) -> bool:
    return other is not None and at < other
