"""Storing the messages of a batch, their conversations' newest message and unread count, and events: one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.inbound import MessageArrived
from elsehu.contracts.message import RANK, Direction, Status
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.ids import new_id

STORE = """
WITH arrived AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
        $8::uuid[], $9::text[], $10::smallint[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
        $15::timestamptz[], $16::timestamptz[], $17::text[])
    AS a(id, conversation_id, instance_id, direction, kind, text, payload, media_id, status, status_rank,
         external_id, reply_to, author_name, at, window_expires_at, named_at, request_id)
), stored AS (
    INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, payload, media_id, status,
        status_rank, external_id, reply_to_external_id, author_name, at, sent_at, lane, attempts, request_id)
    SELECT id, conversation_id, instance_id, direction, kind, text, payload, media_id, status,
        status_rank, external_id, reply_to, author_name, at, CASE WHEN direction = 'OUTBOUND' THEN at END, 0, 0,
        request_id
    FROM arrived
    ON CONFLICT (instance_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING id, seq, conversation_id, instance_id, external_id, direction, kind, text, at
), newest AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, kind, left(text, 120) AS preview, direction, at
    FROM stored ORDER BY conversation_id, at DESC, seq DESC
), counted AS (
    SELECT s.conversation_id, count(*) FILTER (WHERE s.direction = 'INBOUND') AS inbound,
           max(s.at) FILTER (WHERE s.direction = 'INBOUND') AS last_inbound_at,
           max(a.window_expires_at) AS window_expires_at, max(a.named_at) AS named_at
    FROM stored s JOIN arrived a ON a.id = s.id GROUP BY 1
), moved AS (
    UPDATE conversations c SET
        last_activity_at = greatest(c.last_activity_at, n.at),
        last_inbound_at = greatest(c.last_inbound_at, k.last_inbound_at),
        unread_count = c.unread_count + k.inbound,
        window_expires_at = greatest(c.window_expires_at, k.window_expires_at),
        named_at = greatest(c.named_at, k.named_at),
        (last_message_kind, last_message_preview, last_message_direction, last_message_at) = (
            SELECT l.kind, l.preview, l.direction, l.at FROM (VALUES
                (n.kind, n.preview, n.direction, n.at, 1),
                (c.last_message_kind, c.last_message_preview, c.last_message_direction, c.last_message_at, 0)
            ) AS l(kind, preview, direction, at, is_new) ORDER BY l.at DESC NULLS LAST, l.is_new DESC LIMIT 1)
    FROM newest n JOIN counted k USING (conversation_id)
    WHERE c.id = n.conversation_id AND c.id = ANY($2::uuid[])
    RETURNING c.id
), told AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:new', id, conversation_id FROM stored
    UNION ALL SELECT 'conversation:updated', id, id FROM moved
)
SELECT s.id, EXISTS (SELECT 1 FROM waiting_updates w
                     WHERE w.instance_id = s.instance_id AND w.external_id = s.external_id) AS awaited
FROM stored s
"""
"""The ANY says what the join says already, but in a way that has every plan look the conversations up by their key."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with its place: which conversation, which file, until when it keeps the service window open.

    `request_id` is of the request that told of it.
    """

    instance_id: UUID
    conversation_id: UUID
    event: MessageArrived
    media_id: UUID | None
    window_expires_at: datetime | None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of a batch of arrivals: which were new, and for which of these an update was waiting."""

    new: frozenset[int]
    awaited: Sequence[Arrival]


def status_of(event: MessageArrived) -> Status:
    """Return the status that a message from outside is born with."""
    if event.direction is Direction.INBOUND:
        return Status.RECEIVED
    return event.status or Status.SENT


def shown_name(event: MessageArrived) -> str:
    """Return the profile name that a customer's message shows, or nothing."""
    return (event.sender_name or "").strip()[:200] if event.direction is Direction.INBOUND else ""


def shown_username(event: MessageArrived) -> str:
    """Return the username that a customer's message shows, or nothing."""
    return (event.sender_username or "").strip().removeprefix("@")[:200]


async def store(uow: UnitOfWork, arrivals: Sequence[Arrival]) -> Stored:
    """Store `arrivals`; those that are there already change nothing."""
    if not arrivals:
        return Stored(frozenset(), ())
    ids = [new_id() for _ in arrivals]
    rows = await uow.fetch(STORE, ids, *_columns(arrivals))
    uow.signal(SIGNAL)
    places = {message_id: place for place, message_id in enumerate(ids)}
    awaited = [arrivals[places[row["id"]]] for row in rows if row["awaited"]]
    return Stored(frozenset(places[row["id"]] for row in rows), awaited)


def _columns(arrivals: Sequence[Arrival]) -> tuple[list[Any], ...]:
    events = [arrival.event for arrival in arrivals]
    statuses = [status_of(event) for event in events]
    return (
        [arrival.conversation_id for arrival in arrivals],
        [arrival.instance_id for arrival in arrivals],
        [event.direction for event in events],
        [event.kind for event in events],
        [event.text for event in events],
        [orjson.dumps(event.payload, default=str).decode() if event.payload else None for event in events],
        [arrival.media_id for arrival in arrivals],
        statuses,
        [RANK[status] for status in statuses],
        [event.external_id for event in events],
        [event.reply_to for event in events],
        [event.author_name for event in events],
        [event.at for event in events],
        [arrival.window_expires_at for arrival in arrivals],
        [event.at if shown_name(event) else None for event in events],
        [arrival.request_id for arrival in arrivals],
    )
