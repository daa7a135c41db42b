"""Making one conversation of two of one customer on one number: of contacts that are merged, or of one that slept."""

from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL

MOVE_MESSAGES = """
WITH moved AS (
    UPDATE messages m SET conversation_id = $1, client_id = CASE WHEN NOT EXISTS (
        SELECT 1 FROM messages k WHERE k.conversation_id = $1 AND k.client_id = m.client_id) THEN m.client_id END
    WHERE m.conversation_id = $2 RETURNING m.id, m.seq
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, $1 FROM moved ORDER BY seq
"""
"""A client id is of one conversation: of two alike, that of the message that moves is dropped."""

FOLD = """
WITH kept AS (
    UPDATE conversations k SET
        unread_count = k.unread_count + l.unread_count,
        status = CASE WHEN k.status IN ('queued', 'dormant') AND l.status <> 'dormant' THEN l.status ELSE k.status END,
        assigned_to = coalesce(k.assigned_to, l.assigned_to),
        assigned_at = CASE WHEN k.assigned_to IS NULL THEN l.assigned_at ELSE k.assigned_at END,
        opened_at = least(CASE WHEN k.status <> 'dormant' OR l.status = 'dormant' THEN k.opened_at END,
                          CASE WHEN l.status <> 'dormant' OR k.status = 'dormant' THEN l.opened_at END),
        first_reply_at = least(CASE WHEN k.status <> 'dormant' OR l.status = 'dormant' THEN k.first_reply_at END,
                               CASE WHEN l.status <> 'dormant' OR k.status = 'dormant' THEN l.first_reply_at END),
        last_inbound_at = greatest(k.last_inbound_at, l.last_inbound_at),
        last_activity_at = greatest(k.last_activity_at, l.last_activity_at),
        named_at = greatest(k.named_at, l.named_at),
        window_expires_at = greatest(k.window_expires_at, l.window_expires_at),
        (last_message_kind, last_message_preview, last_message_direction, last_message_at) = (
            SELECT n.kind, n.preview, n.direction, n.at FROM (VALUES
                (k.last_message_kind, k.last_message_preview, k.last_message_direction, k.last_message_at),
                (l.last_message_kind, l.last_message_preview, l.last_message_direction, l.last_message_at)
            ) AS n(kind, preview, direction, at) ORDER BY n.at DESC NULLS LAST LIMIT 1)
    FROM conversations l WHERE k.id = $1 AND l.id = $2
)
UPDATE conversations SET status = 'closed', assigned_to = NULL, closed_at = now(), merged_into = $1,
    opened_at = CASE WHEN status = 'dormant' THEN now() ELSE opened_at END, unread_count = 0 WHERE id = $2
"""
"""Of two open ones the more open wins: assigned, queued, dormant. When a dormant one was opened says nothing: it
was open for nobody."""


async def fold(uow: UnitOfWork, kept: UUID, folded: UUID) -> None:
    """Make the conversation `folded` (open, its row locked, as that of `kept` is) a part of `kept`."""
    await uow.execute(MOVE_MESSAGES, kept, folded)
    await uow.execute(FOLD, kept, folded)
    uow.signal(SIGNAL)
