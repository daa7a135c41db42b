"""Sending: from an operator's request to a committed row. From there the dispatcher takes over."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from elsehu import events
from elsehu.contracts.errors import Conflict, PermissionDenied
from elsehu.contracts.user import Caller, Role
from elsehu.db import Row
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.views import Standing, conversation_not_found, sees
from elsehu.messaging.messages.views import message_views
from elsehu.messaging.outbound.drafting import draft
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.requests import current_request_id

CONTEXT = """
SELECT v.id, v.status, v.assigned_to, v.instance_id, v.team_id, v.window_expires_at, v.merged_into,
       i.is_active, i.provider, i.name AS instance_name,
       (SELECT m.id FROM messages m WHERE m.conversation_id = v.id AND m.client_id = $2) AS already
FROM conversations v JOIN service_instances i ON i.id = v.instance_id WHERE v.id = $1
"""

ENQUEUE = """
WITH place AS (
    UPDATE conversations SET last_activity_at = greatest(last_activity_at, $11),
        (last_message_kind, last_message_preview, last_message_direction, last_message_at) = (
            SELECT n.kind, n.preview, n.direction, n.at FROM (VALUES
                ($5::text, left($6, 120), 'OUTBOUND',
                 CASE WHEN $5 <> 'reaction'
                      THEN greatest(last_message_at, date_trunc('second', $11::timestamptz)) END, 1),
                (last_message_kind, last_message_preview, last_message_direction, last_message_at, 0)
            ) AS n(kind, preview, direction, at, is_new) ORDER BY n.at DESC NULLS LAST, n.is_new DESC LIMIT 1),
        first_reply_at = CASE WHEN $12 THEN coalesce(first_reply_at, $11) ELSE first_reply_at END
    WHERE id = $2 AND status <> 'closed' AND ($13::uuid IS NULL OR assigned_to = $13)
    RETURNING id, greatest(last_message_at, date_trunc('second', $11::timestamptz)) AS at
), queued AS (
    INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, payload, media_id, status,
        status_rank, client_id, reply_to_external_id, sender_id, at, lane, attempts, template_id,
        request_id)
    SELECT $1, $2, $3, 'OUTBOUND', $5, $6, $7::jsonb, $8, 'pending', 0, $4, $9, $10, place.at, $14, 0, $15, $16
    FROM place
    ON CONFLICT (conversation_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
    RETURNING id
), told AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:new', id, $2 FROM queued UNION ALL SELECT 'conversation:updated', $2, $2 FROM queued
)
SELECT (SELECT count(*) FROM place) AS places, (SELECT count(*) FROM queued) AS queued
"""
"""A provider's times have whole seconds: with ours cut alike, what comes in the same second is shown in the order
of arrival, and nothing that we send is shown before what is there."""


EXISTING = "SELECT id FROM messages WHERE conversation_id = $1 AND client_id = $2"


async def send(kernel: Kernel, caller: Caller, request: SendMessage, wait: float | None = None) -> dict[str, Any]:
    """Queue a message, wait for the provider's verdict, and return its REST shape.

    It waits at most `wait` seconds, or as long as `[messaging] send_wait` says.
    The same `client_id` in the same conversation returns the same message. Raises NotFound,
    PermissionDenied, Conflict (instance_inactive, conversation_closed, window_closed) and Invalid.
    """
    context = await _context(kernel, caller, request)
    message_id: UUID = context["already"]
    if message_id is None:
        spec = kernel.plugins.spec(context["provider"])
        assert spec is not None
        drafted = await draft(kernel, caller, request, spec, context)
        message_id = await enqueue(kernel, caller, request.conversation_id, context["instance_id"], drafted)
        seconds = kernel.settings.messaging.send_wait if wait is None else wait
        if seconds > 0:  # a job has no Verdicts
            await kernel.part(Verdicts).wait(message_id, seconds)
    return (await message_views(kernel.db, [message_id]))[message_id]


async def _context(kernel: Kernel, caller: Caller, request: SendMessage) -> Row:
    row: Row | None = await kernel.db.fetch_row(CONTEXT, request.conversation_id, request.client_id)
    if row is None or not sees(caller, kernel.settings, Standing.of_row(row)):
        raise conversation_not_found()
    if row["already"] is None:
        _check_sendable(kernel, caller, row)
    return row


def _check_sendable(kernel: Kernel, caller: Caller, row: Mapping[str, Any]) -> None:
    if row["status"] == "closed":
        raise Conflict("conversation_closed", "This conversation is closed. Reopen it, or start a new one.")
    if caller.role is Role.OPERATOR and row["assigned_to"] != caller.user_id:
        raise PermissionDenied(
            "not_your_conversation", "Take the conversation (POST …/assign) before you answer in it."
        )
    if not row["is_active"]:
        raise Conflict("instance_inactive", f"The number {row['instance_name']!r} is switched off. Ask an admin.")
    if kernel.plugins.spec(row["provider"]) is None:
        raise Conflict("provider_not_enabled", f"The provider {row['provider']!r} is not enabled. Ask an admin.")


async def enqueue(kernel: Kernel, caller: Caller, conversation_id: UUID, instance_id: UUID, drafted: Draft) -> UUID:
    """Commit a pending message; where the client id is taken, return the message that has it.

    Raises Conflict if the conversation was closed, or taken from an operator, meanwhile.
    """
    message_id = new_id()
    owner = caller.user_id if caller.role is Role.OPERATOR else None
    row = await kernel.db.fetch_row(
        ENQUEUE,
        message_id,
        conversation_id,
        instance_id,
        drafted.client_id,
        drafted.kind,
        drafted.text,
        orjson.dumps(drafted.payload).decode() if drafted.payload is not None else None,
        drafted.media_id,
        drafted.reply_to,
        caller.user_id,
        kernel.now(),
        caller.user_id is not None,
        owner,
        0,
        drafted.template_id,
        current_request_id(),
    )
    assert row is not None
    if not row["places"]:
        raise Conflict("conversation_closed", "The conversation was closed or given to somebody else just now.")
    if row["queued"]:
        kernel.signals.emit((events.SIGNAL, "outbound"))
        return message_id
    already: UUID = await kernel.db.fetch_value(EXISTING, conversation_id, drafted.client_id)
    return already
