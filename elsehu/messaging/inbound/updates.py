"""What changes a message that is there: statuses, edits, deletions, reactions. What comes too early waits.

Each of them leaves the same state however often and in whatever order it is applied. The caller holds the
locks of the messages (`locks.message_key`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import MessageDeleted, MessageEdited, ReactionChanged, StatusChanged
from elsehu.contracts.message import RANK, IdentityKind
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.inbound.waiting import Early, park

Update = StatusChanged | MessageEdited | MessageDeleted | ReactionChanged
Located = tuple[UUID, Update]
"""(instance id, update)"""

FIND = """
SELECT u.place, m.id, m.conversation_id
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(instance_id, external_id, place)
JOIN messages m ON m.instance_id = u.instance_id AND m.external_id = u.external_id
"""

SET_STATUSES = """
WITH wanted AS (
    SELECT DISTINCT ON (id) * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::timestamptz[], $5::text[],
        $6::text[], $7::text[]) AS w(id, status, rank, at, error_code, error_detail, provider_code)
    ORDER BY id, rank DESC
), changed AS (
    UPDATE messages m SET status = w.status, status_rank = w.rank,
        sent_at = CASE WHEN w.status = 'sent' THEN coalesce(m.sent_at, w.at) ELSE m.sent_at END,
        delivered_at = CASE WHEN w.status IN ('delivered', 'read', 'played') AND m.direction = 'OUTBOUND'
                            THEN coalesce(m.delivered_at, w.at) ELSE m.delivered_at END,
        read_at = CASE WHEN w.status IN ('read', 'played') THEN coalesce(m.read_at, w.at) ELSE m.read_at END,
        error_code = CASE WHEN w.status = 'failed' THEN w.error_code END,
        error_detail = CASE WHEN w.status = 'failed' THEN w.error_detail END,
        provider_code = CASE WHEN w.status = 'failed' THEN w.provider_code END,
        claimed_until = NULL
    FROM wanted w
    WHERE m.id = w.id AND m.status_rank < w.rank
      AND (m.direction = 'OUTBOUND' OR w.status IN ('read', 'played'))
    RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM changed
"""

EDIT = """
WITH changed AS (
    UPDATE messages m SET text = $2, edited_at = $3 WHERE m.id = $1 AND coalesce(m.edited_at, $3) <= $3
      AND (m.text IS DISTINCT FROM $2 OR m.edited_at IS NULL) RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM changed
"""

DELETE = """
WITH changed AS (
    UPDATE messages m SET deleted_at = $2 WHERE m.id = $1 AND m.deleted_at IS NULL RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM changed
"""

REACT = """
WITH changed AS (
    INSERT INTO message_reactions (message_id, reactor, from_company, emoji, at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (message_id, reactor) DO UPDATE SET emoji = excluded.emoji, at = excluded.at
        WHERE message_reactions.at < excluded.at
           OR (message_reactions.at = excluded.at AND message_reactions.emoji <> excluded.emoji)
    RETURNING message_id
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'message:updated', m.id, m.conversation_id FROM changed JOIN messages m ON m.id = changed.message_id
"""


async def apply(uow: UnitOfWork, updates: Sequence[Located], now: datetime) -> None:
    """Apply `updates` to the messages that are there; park those whose message has not come yet."""
    if not updates:
        return
    found = await _find(uow, updates)
    early = [Early(instance_id, update) for place, (instance_id, update) in enumerate(updates) if place not in found]
    await park(uow, early)
    await _set_statuses(
        uow, [(found[p], u) for p, (_, u) in enumerate(updates) if p in found and isinstance(u, StatusChanged)], now
    )
    for place, (_, update) in enumerate(updates):
        if place in found and not isinstance(update, StatusChanged):
            await _apply_one(uow, found[place], update, now)
    uow.signal(SIGNAL)


async def _find(uow: UnitOfWork, updates: Sequence[Located]) -> dict[int, UUID]:
    rows = await uow.fetch(FIND, [one for one, _ in updates], [update.external_id for _, update in updates])
    return {row["place"] - 1: row["id"] for row in rows}


async def _set_statuses(uow: UnitOfWork, changes: Sequence[tuple[UUID, StatusChanged]], now: datetime) -> None:
    if changes:
        await uow.execute(SET_STATUSES, *_status_columns(changes, now))


def _status_columns(changes: Sequence[tuple[UUID, StatusChanged]], now: datetime) -> tuple[list[Any], ...]:
    return (
        [message_id for message_id, _ in changes],
        [change.status for _, change in changes],
        [RANK[change.status] for _, change in changes],
        [change.at or now for _, change in changes],
        [change.error_code for _, change in changes],
        [change.error_detail for _, change in changes],
        [change.provider_code for _, change in changes],
    )


async def _apply_one(uow: UnitOfWork, message_id: UUID, update: Update, now: datetime) -> None:
    match update:
        case MessageEdited():
            await uow.execute(EDIT, message_id, update.text, update.at or now)
        case MessageDeleted():
            await uow.execute(DELETE, message_id, update.at or now)
        case ReactionChanged():
            await uow.execute(REACT, message_id, reactor_of(update), update.from_company, update.emoji, update.at)


def reactor_of(reaction: ReactionChanged) -> str:
    """Return who reacted: `company`, `customer`, or the address of a group's member."""
    if reaction.from_company:
        return "company"
    members = [one for one in reaction.sender if one.kind is not IdentityKind.GROUP]
    in_group = len(members) < len(reaction.sender)
    return f"{members[0].kind} {members[0].value}" if in_group and members else "customer"
