"""HTTP operations on canned replies."""

from collections.abc import Sequence
from typing import Any

from elsehu.db import Row, UnitOfWork
from elsehu.desk.replies import quick_replies
from elsehu.desk.replies.schemas import (
    QuickReplyIn,
    QuickReplyOut,
    QuickReplyPage,
    QuickReplyPatch,
    QuickReplyQuery,
    RenderIn,
    RenderOut,
)
from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.messaging.conversations.views import require_visible

TAG = "quick replies"
ALL = "/api/quick-replies"
ONE = ALL + "/{id}"
View = dict[str, Any]


async def list_replies(call: Call[None, QuickReplyQuery]) -> View:
    """Everybody's and the caller's own, by shortcut."""
    return await quick_replies.reply_page(call.kernel, call.caller, call.query)


async def show_reply(call: Call[None, NoQuery]) -> View:
    """Another user's own is not there."""
    return quick_replies.reply_view(await quick_replies.get(call.kernel.db, call.caller, call.path_id()))


async def create_reply(call: Call[QuickReplyIn, NoQuery]) -> View:
    """409 `shortcut_taken` if everybody's, or the caller's own, have one with this shortcut."""
    async with call.transaction() as uow:
        row = await quick_replies.create(uow, call.caller, call.body)
        await _audit(uow, call, "quick_reply_created", row)
    return quick_replies.reply_view(row)


async def change_reply(call: Call[QuickReplyPatch, NoQuery]) -> View:
    """What is left out stays. Everybody's are kept by supervisors."""
    changes = call.body.model_dump(include=call.body.model_fields_set)
    async with call.transaction() as uow:
        row = await quick_replies.change(uow, call.caller, call.path_id(), changes)
        await _audit(uow, call, "quick_reply_changed", row)
    return quick_replies.reply_view(row)


async def delete_reply(call: Call[None, NoQuery]) -> None:
    """Everybody's are kept by supervisors."""
    async with call.transaction() as uow:
        row = await quick_replies.remove(uow, call.caller, call.path_id())
        await _audit(uow, call, "quick_reply_deleted", row)


async def render_reply(call: Call[RenderIn, NoQuery]) -> View:
    """Fill its places in for a conversation, as the caller would send it. Nothing is sent."""
    reply = await quick_replies.get(call.kernel.db, call.caller, call.path_id())
    view = await require_visible(call.kernel, call.caller, call.body.conversation_id)
    filled = await quick_replies.render(call.kernel, call.caller, reply, view)
    return {"text": filled.text, "missing": list(filled.missing)}


async def _audit(uow: UnitOfWork, call: Call[Any, Any], action: str, row: Row) -> None:
    """Log what is done to everybody's; what users do to their own is theirs."""
    if row["owner_id"] is None:
        subject, details = f"quick_reply:{row['id']}", {"shortcut": row["shortcut"]}
        await audit.record(uow, call.caller, action, subject, details, **audit.origin(call.request))


OPERATIONS: Sequence[Operation] = (
    Operation("GET", ALL, list_replies, "List canned replies", TAG, query=QuickReplyQuery, answer=QuickReplyPage),
    Operation("GET", ONE, show_reply, "Show a canned reply", TAG, answer=QuickReplyOut, refusals=(404,)),
    Operation(
        "POST", ALL, create_reply, "Add a canned reply", TAG,
        body=QuickReplyIn, answer=QuickReplyOut, status=201, refusals=(403, 409),
    ),
    Operation(
        "PATCH", ONE, change_reply, "Change a canned reply", TAG,
        body=QuickReplyPatch, answer=QuickReplyOut, refusals=(403, 404, 409),
    ),
    Operation("DELETE", ONE, delete_reply, "Delete a canned reply", TAG, refusals=(403, 404)),
    Operation(
        "POST", ONE + "/render", render_reply, "Fill a canned reply in", TAG,
        body=RenderIn, answer=RenderOut, refusals=(404,),
    ),
)  # fmt: skip
