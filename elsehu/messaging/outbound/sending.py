"""Sending: from an operator's request to a committed row. From there the dispatcher takes over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import Conflict, FieldError, Invalid, PermissionDenied
from elsehu.contracts.message import MEDIA_KINDS, Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.user import Caller, Role
from elsehu.db import Row
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.media.queries import sendable_upload
from elsehu.messaging.conversations.views import conversation_not_found
from elsehu.messaging.messages.views import message_views
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.messaging.schemas import SendMessage

CONTEXT = """
SELECT v.id, v.status, v.assigned_to, v.instance_id, v.window_expires_at, v.merged_into,
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
        status_rank, client_id, reply_to_external_id, sender_id, at, lane, attempts)
    SELECT $1, $2, $3, 'OUTBOUND', $5, $6, $7::jsonb, $8, 'pending', 0, $4, $9, $10, place.at, $14, 0 FROM place
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

QUOTED = "SELECT external_id FROM messages WHERE id = $1 AND conversation_id = $2"


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked message, ready to be queued."""

    kind: Kind
    text: str | None = None
    payload: Mapping[str, Any] | None = None
    media_id: UUID | None = None
    reply_to: str | None = None
    client_id: str | None = None


async def send(kernel: Kernel, caller: Caller, request: SendMessage, wait: float | None = None) -> dict[str, Any]:
    """Queue a message, wait for the provider's verdict, and return its REST shape.

    It waits at most `wait` seconds, or as long as `[messaging] send_wait` says.
    The same `client_id` in the same conversation returns the same message. Raises NotFound,
    PermissionDenied, Conflict (instance_inactive, conversation_closed, window_closed) and Invalid.
    """
    context = await _context(kernel, caller, request)
    message_id: UUID = context["already"]
    if message_id is None:
        draft = await _draft(kernel, caller, request, context)
        message_id = await enqueue(kernel, caller, request.conversation_id, context["instance_id"], draft)
        seconds = kernel.settings.messaging.send_wait if wait is None else wait
        await kernel.part(Verdicts).wait(message_id, seconds)
    return (await message_views(kernel.db, [message_id]))[message_id]


async def _context(kernel: Kernel, caller: Caller, request: SendMessage) -> Row:
    row: Row | None = await kernel.db.fetch_row(CONTEXT, request.conversation_id, request.client_id)
    if row is None or not _sees(kernel, caller, row):
        raise conversation_not_found()
    if row["already"] is None:
        _check_sendable(kernel, caller, row)
    return row


def _sees(kernel: Kernel, caller: Caller, row: Mapping[str, Any]) -> bool:
    if caller.sees_all or kernel.settings.desk.operators_see_all:
        return True
    return row["assigned_to"] == caller.user_id if row["assigned_to"] else bool(row["status"] == "queued")


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


async def _draft(kernel: Kernel, caller: Caller, request: SendMessage, context: Mapping[str, Any]) -> Draft:
    spec = kernel.plugins.spec(context["provider"])
    assert spec is not None
    if request.kind not in spec.kinds:
        kinds = ", ".join(sorted(spec.kinds))
        raise Invalid("unsupported_by_provider", f"{spec.name} cannot send {request.kind}; it sends: {kinds}.")
    _check_window(kernel, request, spec, context)
    draft = draft_of(request, spec)
    if request.kind in MEDIA_KINDS:
        await _check_media(kernel, caller, request, spec)
    if request.reaction is not None:
        target = await _external_id(kernel, request.reaction.message_id, request.conversation_id, "reaction.messageId")
        return Draft(draft.kind, None, {"emoji": request.reaction.emoji}, None, target, draft.client_id)
    if request.reply_to_id is None:
        return draft
    quoted = await _external_id(kernel, request.reply_to_id, request.conversation_id, "replyToId")
    return Draft(draft.kind, draft.text, draft.payload, draft.media_id, quoted, draft.client_id)


def _check_window(kernel: Kernel, request: SendMessage, spec: ProviderSpec, context: Mapping[str, Any]) -> None:
    if spec.window_hours is None or request.kind is Kind.TEMPLATE:
        return
    expires = context["window_expires_at"]
    if expires is None or expires <= kernel.now():
        detail = "The customer's service window is closed: only a template may be sent (kind `template`)."
        raise Conflict("window_closed", detail)


CONTENT = {
    Kind.TEXT: "text",
    Kind.LOCATION: "location",
    Kind.CONTACTS: "contacts",
    Kind.REACTION: "reaction",
    Kind.INTERACTIVE: "interactive",
    Kind.TEMPLATE: "template",
}


FAMILIES = {
    Kind.IMAGE: ("image/",),
    Kind.STICKER: ("image/",),
    Kind.VIDEO: ("video/",),
    Kind.AUDIO: ("audio/", "video/"),
}
"""The types of file that each kind takes. Recordings of browsers come in containers that are told as video."""


def draft_of(request: SendMessage, spec: ProviderSpec) -> Draft:
    """Check that the request has what its kind needs and nothing of another kind. Raises Invalid."""
    errors = [*_missing(request), *_foreign(request), *_too_long(request, spec)]
    if errors:
        raise Invalid("invalid_request", "The message does not fit its kind; see errors.", errors=errors)
    text = request.caption if request.kind in MEDIA_KINDS else request.text
    return Draft(request.kind, text, _payload(request), request.media_id, None, request.client_id)


def _missing(request: SendMessage) -> list[FieldError]:
    if request.kind in MEDIA_KINDS:
        given = (request.media_id is not None) + (request.media_url is not None)
        return [] if given == 1 else [FieldError("mediaId", "give exactly one of mediaId and mediaUrl")]
    name = CONTENT.get(request.kind)
    if name is None:
        return [FieldError("kind", "cannot be sent")]
    value = getattr(request, name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return [FieldError(name, f"is needed for kind {request.kind}")]
    return []


def _foreign(request: SendMessage) -> list[FieldError]:
    own = CONTENT.get(request.kind)
    foreign = [name for name in CONTENT.values() if name != own and getattr(request, name) is not None]
    if request.kind not in MEDIA_KINDS:
        foreign += [name for name in ("media_id", "media_url", "caption") if getattr(request, name) is not None]
    return [FieldError(_camel(name), f"does not belong to kind {request.kind}") for name in foreign]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _too_long(request: SendMessage, spec: ProviderSpec) -> list[FieldError]:
    errors = []
    if request.text is not None and len(request.text) > spec.max_text:
        errors.append(FieldError("text", f"may have at most {spec.max_text} characters on {spec.name}"))
    if request.caption is not None and len(request.caption) > spec.max_caption:
        errors.append(FieldError("caption", f"may have at most {spec.max_caption} characters on {spec.name}"))
    return errors


def _payload(request: SendMessage) -> dict[str, Any] | None:
    if request.location is not None:
        return request.location.model_dump(mode="json", by_alias=True)
    if request.contacts is not None:
        return {"contacts": [card.model_dump(mode="json", by_alias=True) for card in request.contacts]}
    return request.interactive or request.template


async def _check_media(kernel: Kernel, caller: Caller, request: SendMessage, spec: ProviderSpec) -> None:
    if request.media_url is not None:
        raise Invalid("media_url_unsupported", "Upload the file with POST /api/media and send its mediaId.")
    assert request.media_id is not None
    row = await sendable_upload(kernel.db, caller, request.media_id)
    if not row["mime_type"].startswith(FAMILIES.get(request.kind, ("",))):
        detail = f"A file of {row['mime_type']} cannot be sent as {request.kind}; as a document it can."
        raise Invalid("media_type_unsupported", detail, errors=[FieldError("mediaId", "has the wrong type")])
    limit = spec.media_limits.get(request.kind)
    if limit and row["size"] > limit.max_bytes:
        detail = f"{spec.name} takes at most {limit.max_bytes} bytes of {request.kind}; this file has {row['size']}."
        raise Invalid("media_too_large", detail, errors=[FieldError("mediaId", "is too large")])
    if limit and limit.mime_types and row["mime_type"] not in limit.mime_types:
        allowed = ", ".join(sorted(limit.mime_types))
        detail = f"{spec.name} takes {request.kind} only as {allowed}; this file is {row['mime_type']}."
        raise Invalid("media_type_unsupported", detail, errors=[FieldError("mediaId", "has the wrong type")])


async def _external_id(kernel: Kernel, message_id: UUID, conversation_id: UUID, field: str) -> str:
    row = await kernel.db.fetch_row(QUOTED, message_id, conversation_id)
    if row is None or row["external_id"] is None:
        problem = FieldError(field, "is no message of this conversation that the provider knows")
        raise Invalid("unknown_message", "The message referred to cannot be found.", errors=[problem])
    external_id: str = row["external_id"]
    return external_id


async def enqueue(kernel: Kernel, caller: Caller, conversation_id: UUID, instance_id: UUID, draft: Draft) -> UUID:
    """Commit a pending message; where the client id is taken, return the message that has it.

    Raises Conflict if the conversation was closed, or taken from an operator, meanwhile.
    """
    message_id = new_id()
    owner = caller.user_id if caller.role is Role.OPERATOR else None
    async with kernel.db.transaction() as uow:
        row = await uow.fetch_row(
            ENQUEUE,
            message_id,
            conversation_id,
            instance_id,
            draft.client_id,
            draft.kind,
            draft.text,
            orjson.dumps(draft.payload).decode() if draft.payload is not None else None,
            draft.media_id,
            draft.reply_to,
            caller.user_id,
            kernel.now(),
            caller.user_id is not None,
            owner,
            0,
        )
        assert row is not None
        if not row["places"]:
            raise Conflict("conversation_closed", "The conversation was closed or given to somebody else just now.")
        if row["queued"]:
            uow.signal("events")
            uow.signal("outbound")
            return message_id
        existing = "SELECT id FROM messages WHERE conversation_id = $1 AND client_id = $2"
        already: UUID = await uow.fetch_value(existing, conversation_id, draft.client_id)
        return already
