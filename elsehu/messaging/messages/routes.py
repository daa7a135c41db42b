"""HTTP operations on messages."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from starlette.responses import Response

from elsehu.contracts.message import Status
from elsehu.db import UnitOfWork
from elsehu.http.idempotency import HEADER
from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.media import serving
from elsehu.messaging.conversations.views import owner_of, require_owner, require_visible
from elsehu.messaging.messages.views import message_not_found, message_views, require_message, thread_page
from elsehu.messaging.outbound import decisions
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.sending import send
from elsehu.messaging.schemas import LONGEST_CLIENT_ID, MediaQuery, MessageOut, MessagePage, Resolve

JsonObject = dict[str, object]


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


async def get_media(call: Call[None, MediaQuery]) -> Response:
    """Stream a message's file, or a small picture of it: 404 `no_thumbnail` where there is none."""
    message = await require_message(call.kernel, call.caller, call.path_id())
    media = message["media"]
    if media is None:
        raise message_not_found()
    return await serving.serve(call.kernel, UUID(media["id"]), call.request, small=call.query.thumbnail)


async def retry_message(call: Call[None, NoQuery]) -> JsonObject:
    """Put a failed message back into the queue."""
    return await _decided(call, decisions.retry)


async def resolve_message(call: Call[Resolve, NoQuery]) -> JsonObject:
    """Say what became of an unconfirmed message."""
    outcome = Status(call.body.outcome)
    return await _decided(call, lambda uow, message_id: decisions.resolve(uow, message_id, outcome, call.kernel.now()))


async def _decided(
    call: Call[Resolve, NoQuery] | Call[None, NoQuery], decide: Callable[[UnitOfWork, UUID], Awaitable[None]]
) -> JsonObject:
    """Do what a person decided of a message, if it is theirs to decide."""
    message = await require_message(call.kernel, call.caller, call.path_id())
    message_id, conversation_id = UUID(message["id"]), UUID(message["conversationId"])
    conversation = await require_visible(call.kernel, call.caller, conversation_id)
    require_owner(call.caller, owner_of(conversation))
    async with call.kernel.db.transaction() as uow:
        await decide(uow, message_id)
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
        query=MediaQuery, answer_media_type="*/*", refusals=(404, 409, 410, 416),
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
