"""HTTP operations on conversations that change nothing about who works on them. The others are the desk's."""

from collections.abc import Sequence
from typing import Any

from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.messaging.conversations.listing import conversation_page
from elsehu.messaging.conversations.reading import mark_read
from elsehu.messaging.conversations.views import require_visible
from elsehu.messaging.schemas import ConversationOut, ConversationPage, ConversationQuery

TAG = "conversations"
View = dict[str, Any]


async def list_conversations(call: Call[None, ConversationQuery]) -> View:
    """Newest activity first. An operator is shown his own and the queue, unless `[desk] operators_see_all`."""
    return await conversation_page(call.kernel, call.caller, call.query)


async def show_conversation(call: Call[None, NoQuery]) -> View:
    """Another operator's conversation is not there for an operator."""
    return await require_visible(call.kernel, call.caller, call.path_id())


async def read_conversation(call: Call[None, NoQuery]) -> View:
    """Nothing is unread any more; where the provider can, the customer is shown that his messages were read."""
    view = await require_visible(call.kernel, call.caller, call.path_id())
    await mark_read(call.kernel, call.path_id())
    return {**view, "unreadCount": 0}


OPERATIONS: Sequence[Operation] = (
    Operation(
        "GET", "/api/conversations", list_conversations, "List conversations, newest activity first", TAG,
        query=ConversationQuery, answer=ConversationPage,
    ),
    Operation(
        "GET", "/api/conversations/{id}", show_conversation, "Show a conversation", TAG,
        answer=ConversationOut, refusals=(404,),
    ),
    Operation(
        "POST", "/api/conversations/{id}/read", read_conversation, "Mark a conversation as read", TAG,
        answer=ConversationOut, refusals=(404,),
    ),
)  # fmt: skip
