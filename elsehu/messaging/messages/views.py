"""Messages as they are shown, and their list."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import NotFound
from elsehu.contracts.user import Caller
from elsehu.db import Database, Row, UnitOfWork
from elsehu.http.pages import aware_time, decode_cursor, page_of, serial
from elsehu.kernel import Kernel
from elsehu.media.views import media_view
from elsehu.messaging.conversations.views import require_visible

COLUMNS = """
SELECT m.id, m.seq, m.conversation_id, m.instance_id, m.direction, m.kind, m.text, m.payload, m.status,
       m.external_id, m.client_id, m.reply_to_external_id, m.sender_id, m.author_name, m.at, m.created_at,
       m.sent_at, m.delivered_at, m.read_at, m.edited_at, m.deleted_at, m.error_code, m.error_detail, m.provider_code,
       m.template_id, m.request_id,
       u.name AS sender_name,
       q.id AS quoted_id, q.kind AS quoted_kind, q.text AS quoted_text, q.direction AS quoted_direction,
       f.id AS media_id, f.mime_type AS media_mime_type, f.size AS media_size, f.file_name AS media_file_name,
       f.state AS media_state,
       (SELECT json_agg(json_build_object('emoji', r.emoji, 'fromCompany', r.from_company, 'at', r.at) ORDER BY r.at)
        FROM message_reactions r WHERE r.message_id = m.id AND r.emoji <> '') AS reactions
FROM messages m
LEFT JOIN users u ON u.id = m.sender_id
LEFT JOIN media_files f ON f.id = m.media_id
LEFT JOIN messages q ON q.instance_id = m.instance_id AND q.external_id = m.reply_to_external_id
"""
BY_IDS = COLUMNS + "WHERE m.id = ANY($1::uuid[])"
THREAD = COLUMNS + "WHERE m.conversation_id = $1 ORDER BY m.at DESC, m.seq DESC LIMIT $2"
THREAD_AFTER = (
    COLUMNS + "WHERE m.conversation_id = $1 AND (m.at, m.seq) < ($3, $4) ORDER BY m.at DESC, m.seq DESC LIMIT $2"
)
"""Served by the index messages_thread."""


def _time(at: datetime | None) -> str | None:
    return None if at is None else isoformat(at)


def message_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's REST shape from a row of COLUMNS."""
    return {
        "id": str(row["id"]),
        "conversationId": str(row["conversation_id"]),
        "direction": row["direction"],
        "kind": row["kind"],
        "text": row["text"],
        "payload": orjson.loads(row["payload"]) if row["payload"] else None,
        "status": row["status"],
        "error": _error(row),
        "externalId": row["external_id"],
        "clientId": row["client_id"],
        "templateId": str(row["template_id"]) if row["template_id"] else None,
        "requestId": row["request_id"],
        "replyTo": _reply_to(row),
        "media": media_view(_media_row(row), f"/api/messages/{row['id']}/media") if row["media_id"] else None,
        "reactions": [_reaction(one) for one in orjson.loads(row["reactions"] or "[]")],
        "sender": _sender(row),
        "sentAt": _time(row["sent_at"]),
        "deliveredAt": _time(row["delivered_at"]),
        "readAt": _time(row["read_at"]),
        "createdAt": isoformat(row["created_at"]),
        "providerTimestamp": _time(row["at"]),
        "edited": row["edited_at"] is not None,
        "deleted": row["deleted_at"] is not None,
    }


def _error(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["error_code"] is None:
        return None
    return {"code": row["error_code"], "detail": row["error_detail"], "providerCode": row["provider_code"]}


def _reply_to(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["reply_to_external_id"] is None:
        return None
    return {
        "id": None if row["quoted_id"] is None else str(row["quoted_id"]),
        "externalId": row["reply_to_external_id"],
        "kind": row["quoted_kind"],
        "text": row["quoted_text"],
        "direction": row["quoted_direction"],
    }


def _media_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[f"media_{name}"] for name in ("id", "mime_type", "size", "file_name", "state")}


def _reaction(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "at": isoformat(datetime.fromisoformat(one["at"]))}


def _sender(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["sender_id"] is not None:
        return {"id": str(row["sender_id"]), "name": row["sender_name"]}
    return {"id": None, "name": row["author_name"]} if row["author_name"] else None


async def message_views(db: Database | UnitOfWork, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the REST shapes of messages by id; unknown ids are missing."""
    rows: list[Row] = await db.fetch(BY_IDS, list(ids))
    return {row["id"]: message_view(row) for row in rows}


async def require_message(kernel: Kernel, caller: Caller, message_id: UUID) -> dict[str, Any]:
    """Return a message's REST shape. Raises NotFound where there is none that `caller` may see."""
    view = (await message_views(kernel.db, [message_id])).get(message_id)
    if view is None:
        raise message_not_found()
    await require_visible(kernel, caller, UUID(view["conversationId"]))
    return view


def message_not_found() -> NotFound:
    """Return the refusal for a message that is not there for the caller."""
    return NotFound("message_not_found", "There is no such message among those that you may see.")


async def thread_page(kernel: Kernel, conversation_id: UUID, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of a conversation's messages, newest first. Raises Invalid for a bad cursor."""
    if cursor is None:
        rows = await kernel.db.fetch(THREAD, conversation_id, limit + 1)
    else:
        at, seq = decode_cursor(cursor, (aware_time, serial))
        rows = await kernel.db.fetch(THREAD_AFTER, conversation_id, limit + 1, at, seq)
    return page_of(rows, limit, lambda row: (row["at"].isoformat(), row["seq"]), message_view)


async def media_settled(uow: UnitOfWork, media_ids: Sequence[UUID]) -> None:
    """Tell of the messages whose file is now ready, failed or expired."""
    await uow.execute(
        "INSERT INTO events (type, subject_id, conversation_id) "
        "SELECT 'message:updated', id, conversation_id FROM messages WHERE media_id = ANY($1::uuid[])",
        list(media_ids),
    )
    uow.signal("events")
