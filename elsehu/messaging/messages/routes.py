"""HTTP operations on messages."""

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from elsehu import events
from elsehu.contracts.errors import Conflict
from elsehu.contracts.message import RANK, Status
from elsehu.events import Change
from elsehu.http.idempotency import HEADER
from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.media import serving
from elsehu.messaging.conversations.views import owner_of, require_owner, require_visible
from elsehu.messaging.messages.views import message_not_found, message_views, require_message, thread_page
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.sending import send
from elsehu.messaging.schemas import LONGEST_CLIENT_ID, MessageOut, MessagePage, Resolve

JsonObject = dict[str, object]

RETRY = """
UPDATE messages SET status = 'pending', status_rank = 0, attempts = 0, next_attempt_at = NULL, external_id = NULL,
    error_code = NULL, error_detail = NULL, provider_code = NULL
WHERE id = $1 AND status = 'failed' AND direction = 'OUTBOUND' RETURNING id
"""
RESOLVE = """
UPDATE messages SET status = $2::text, status_rank = $3,
    error_code = CASE WHEN $2::text = 'failed' THEN 'resolved_as_failed' END,
    error_detail = CASE WHEN $2::text = 'failed' THEN 'A person found that it was not delivered.' END
WHERE id = $1 AND status = 'unconfirmed' RETURNING id
"""


async def send_message(call: Call[SendMessage, NoQuery]) -> JsonObject:
    """Send a message in an open conversation. An `Idempotency-Key` stands for a client id that is not given."""
    key = call.request.headers.get(HEADER)
    request = call.body
    if request.client_id is None and key is not None:
        request = request.model_copy(update={"client_id": key[:LONGEST_CLIENT_ID]})
    return await send(call.kernel, call.caller, request)


async def list_messages(call: Call[None, PageQuery]) -> JsonObject:
    """List a conversation's messages."""
    conversation_id = call.path_id()
    await require_visible(call.kernel, call.caller, conversation_id)
    return await thread_page(call.kernel, conversation_id, call.query.limit, call.query.cursor)


async def get_message(call: Call[None, NoQuery]) -> JsonObject:
    """Show one message."""
    return await require_message(call.kernel, call.caller, call.path_id())


async def get_media(call: Call[None, NoQuery]) -> Response:
    """Stream a message's file."""
    message = await require_message(call.kernel, call.caller, call.path_id())
    media = message["media"]
    if media is None:
        raise message_not_found()
    return await serving.serve(call.kernel, UUID(media["id"]), call.request)


async def retry_message(call: Call[None, NoQuery]) -> JsonObject:
    """Put a failed message back into the queue."""
    detail = "Only a failed message can be retried; an unconfirmed one must be resolved first."
    return await _change(call, RETRY, (), Conflict("not_failed", detail), "outbound")


async def resolve_message(call: Call[Resolve, NoQuery]) -> JsonObject:
    """Say what became of an unconfirmed message."""
    status = Status(call.body.outcome)
    detail = "Only an unconfirmed message can be resolved; this one has an outcome."
    return await _change(call, RESOLVE, (status, RANK[status]), Conflict("not_unconfirmed", detail), "events")


async def _change(
    call: Call[Resolve, NoQuery] | Call[None, NoQuery],
    sql: str,
    arguments: Sequence[object],
    refusal: Conflict,
    signal: str,
) -> JsonObject:
    message = await require_message(call.kernel, call.caller, call.path_id())
    message_id, conversation_id = UUID(message["id"]), UUID(message["conversationId"])
    conversation = await require_visible(call.kernel, call.caller, conversation_id)
    require_owner(call.caller, owner_of(conversation))
    async with call.kernel.db.transaction() as uow:
        if await uow.fetch_row(sql, message_id, *arguments) is None:
            raise refusal
        await events.record(uow, [Change("message:updated", message_id, conversation_id)])
        uow.signal(signal)
    return (await message_views(call.kernel.db, [message_id]))[message_id]


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST", "/api/messages/send", send_message, "Send a message", "messages",
        body=SendMessage, answer=MessageOut, status=201, refusals=(403, 404, 409),
    ),
    Operation(
        "GET", "/api/messages/conversation/{id}", list_messages, "List a conversation's messages, newest first",
        "messages", query=PageQuery, answer=MessagePage, refusals=(404,),
    ),
    Operation(
        "GET", "/api/messages/{id}", get_message, "Show a message", "messages", answer=MessageOut, refusals=(404,)
    ),
    Operation(
        "GET", "/api/messages/{id}/media", get_media, "Download a message's file", "messages",
        answer_media_type="application/octet-stream", refusals=(404, 409, 410, 416),
    ),
    Operation(
        "POST", "/api/messages/{id}/retry", retry_message, "Send a failed message again", "messages",
        answer=MessageOut, refusals=(403, 404, 409),
    ),
    Operation(
        "POST", "/api/messages/{id}/resolve", resolve_message, "Say what became of an unconfirmed message",
        "messages", body=Resolve, answer=MessageOut, refusals=(403, 404, 409),
    ),
)  # fmt: skip
