"""From a request to a draft: everything that may keep a message from being sent is found here, before the queue."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from elsehu.contracts.errors import Conflict, FieldError, Invalid
from elsehu.contracts.message import MEDIA_KINDS, Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.user import Caller
from elsehu.kernel import Kernel
from elsehu.messaging.outbound import files, limits
from elsehu.messaging.outbound.contents import ContactCard
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.interactive import HeaderMedia, Interactive
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.window import is_closed
from elsehu.messaging.templates.sending import prepare as prepare_template

HEADER_FILE = "interactive.header.mediaId"
QUOTED = "SELECT external_id FROM messages WHERE id = $1 AND conversation_id = $2"


async def draft(
    kernel: Kernel, caller: Caller, request: SendMessage, spec: ProviderSpec, context: Mapping[str, Any]
) -> Draft:
    """Return what `request` comes to in the conversation of `context` (a row of sending.CONTEXT).

    Raises Invalid, Conflict `window_closed`, and NotFound or Gone for its file.
    """
    limits.check(request, spec)
    reply_to = await _reply_to(kernel, request)
    if request.kind is Kind.TEMPLATE:
        drafted = await _template(kernel, caller, request, spec, context)
    else:
        _require_window(kernel, request.kind, spec, context)
        drafted = await _content(kernel, caller, request, spec)
    return replace(drafted, reply_to=reply_to, client_id=request.client_id)


async def _template(
    kernel: Kernel, caller: Caller, request: SendMessage, spec: ProviderSpec, context: Mapping[str, Any]
) -> Draft:
    """Return a template's draft: of kind `template`, or of another where the provider has no templates."""
    assert request.template is not None
    drafted = await prepare_template(kernel, context, request.template)
    _require_window(kernel, drafted.kind, spec, context)
    if drafted.media_id is not None:
        await files.check(
            kernel, caller, drafted.media_id, _kind_of_file(drafted), spec, field="template.headerMediaId"
        )
    return drafted


def _kind_of_file(drafted: Draft) -> Kind:
    if drafted.kind in MEDIA_KINDS:
        return drafted.kind
    return Kind(((drafted.payload or {}).get("header") or {}).get("format", Kind.DOCUMENT))


async def _content(kernel: Kernel, caller: Caller, request: SendMessage, spec: ProviderSpec) -> Draft:
    if request.kind in MEDIA_KINDS:
        return Draft(request.kind, request.caption, media_id=await _file(kernel, caller, request, spec))
    if request.interactive is not None:
        return await _interactive(kernel, caller, request.interactive, spec)
    return Draft(request.kind, request.text, _payload(request))


async def _file(kernel: Kernel, caller: Caller, request: SendMessage, spec: ProviderSpec) -> UUID:
    if request.media_url is not None:
        return await files.from_url(kernel, caller, str(request.media_url), request.kind, spec)
    assert request.media_id is not None
    await files.check(kernel, caller, request.media_id, request.kind, spec)
    return request.media_id


async def _interactive(kernel: Kernel, caller: Caller, message: Interactive, spec: ProviderSpec) -> Draft:
    """Return an interactive message's draft: its body is the text, so that lists of messages show it."""
    header = getattr(message, "header", None)
    media_id = header.media_id if isinstance(header, HeaderMedia) else None
    if isinstance(header, HeaderMedia):
        await files.check(kernel, caller, header.media_id, Kind(header.format), spec, field=HEADER_FILE)
    return Draft(Kind.INTERACTIVE, message.body, _json(message), media_id)


def _payload(request: SendMessage) -> dict[str, Any] | None:
    if request.location is not None:
        return _json(request.location)
    if request.contacts is not None:
        return {"contacts": [_card(card) for card in request.contacts]}
    if request.reaction is not None:
        return {"emoji": request.reaction.emoji}
    return None


def _card(card: ContactCard) -> dict[str, Any]:
    return {name: value for name, value in _json(card).items() if value != [] or name == "phones"}


def _json(content: BaseModel) -> dict[str, Any]:
    return content.model_dump(mode="json", by_alias=True, exclude_none=True)


def _require_window(kernel: Kernel, kind: Kind, spec: ProviderSpec, context: Mapping[str, Any]) -> None:
    if is_closed(spec, kind, context["window_expires_at"], kernel.now()):
        detail = (
            f"The customer last wrote more than {spec.window_hours:g} hours ago, so only a template may be sent: "
            "choose one of GET /api/templates and send it with kind `template`."
        )
        raise Conflict("window_closed", detail)


async def _reply_to(kernel: Kernel, request: SendMessage) -> str | None:
    if request.reaction is not None:
        return await _external_id(kernel, request.reaction.message_id, request.conversation_id, "reaction.messageId")
    if request.reply_to_id is not None:
        return await _external_id(kernel, request.reply_to_id, request.conversation_id, "replyToId")
    return None


async def _external_id(kernel: Kernel, message_id: UUID, conversation_id: UUID, field: str) -> str:
    row = await kernel.db.fetch_row(QUOTED, message_id, conversation_id)
    if row is None or row["external_id"] is None:
        problem = FieldError(field, "is no message of this conversation that the provider knows")
        raise Invalid("unknown_message", "The message referred to cannot be found.", errors=[problem])
    external_id: str = row["external_id"]
    return external_id
