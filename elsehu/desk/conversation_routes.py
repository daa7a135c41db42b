"""HTTP operations by which people work on conversations. What an operator may not see is not there for him."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.db import UnitOfWork
from elsehu.desk import assignment, closing, notes, timeline
from elsehu.desk.schemas import (
    Assign,
    Close,
    NoteIn,
    Reopen,
    TagsIn,
    TimelineEntryOut,
    TimelinePage,
    Transfer,
)
from elsehu.http.operations import Call, Handler, Operation
from elsehu.http.schemas import ApiModel, NoQuery, PageQuery
from elsehu.messaging.conversations.opening import open_conversation
from elsehu.messaging.conversations.views import conversation_views, require_visible
from elsehu.messaging.inbound.retrying import retrying
from elsehu.messaging.schemas import ConversationOut, OpenConversation

TAG = "conversations"
ONE = "/api/conversations/{id}"
View = dict[str, Any]


@asynccontextmanager
async def _seen(call: Call[Any, Any]) -> AsyncIterator[UnitOfWork]:
    """Open the unit of work that changes a conversation which the caller may see."""
    await require_visible(call.kernel, call.caller, call.path_id())
    async with call.transaction() as uow:
        yield uow


async def _shown(call: Call[Any, Any], conversation_id: UUID) -> View:
    """Return how a conversation is now, also to an operator who has just handed it on."""
    return (await conversation_views(call.kernel.db, [conversation_id]))[conversation_id]


async def start_conversation(call: Call[OpenConversation, NoQuery]) -> View:
    """Write first: in the queue, or (`assignToMe`) the caller's. 409 `conversation_already_open` names the other."""
    owner = call.caller.user_id if call.body.assign_to_me else None
    if call.body.assign_to_me and owner is None:
        problem = FieldError("assignToMe", "an API key cannot have conversations of its own")
        raise Invalid("invalid_request", "Open it without assignToMe, then assign it to a user.", errors=[problem])
    async with call.transaction() as uow:
        to = await assignment.active_user(uow, owner) if owner else None
        contact_id, instance_id = call.body.contact_id, call.body.service_instance_id
        opened = await open_conversation(uow, contact_id, instance_id, owner, call.kernel.now())
        await timeline.record(uow, call.caller, opened, "opened", {"to": to})
    return await _shown(call, opened)


async def assign_conversation(call: Call[Assign, NoQuery]) -> View:
    """Take it from the queue; a supervisor may give it to any active user. Of two at once one wins."""
    user_id = assignment.assignee(call.caller, call.body.user_id)
    async with _seen(call) as uow:
        await assignment.assign(uow, call.caller, call.path_id(), user_id, now=call.kernel.now())
    return await _shown(call, call.path_id())


async def transfer_conversation(call: Call[Transfer, NoQuery]) -> View:
    """Hand it on to an active user, a team, or the queue of its number. For its operator and supervisors."""
    target = assignment.Target(call.body.user_id, call.body.team_id)
    async with _seen(call) as uow:
        reason, now = call.body.reason, call.kernel.now()
        await assignment.transfer(uow, call.caller, call.path_id(), target, reason=reason, now=now)
    return await _shown(call, call.path_id())


async def release_conversation(call: Call[None, NoQuery]) -> View:
    """Give it back to the queue that it came from. For its operator and supervisors."""
    async with _seen(call) as uow:
        await assignment.release(uow, call.caller, call.path_id(), now=call.kernel.now())
    return await _shown(call, call.path_id())


async def close_conversation(call: Call[Close, NoQuery]) -> View:
    """Close it with a tabulation and what that demands. The customer's next message opens a new one."""
    view = await require_visible(call.kernel, call.caller, call.path_id())
    checked = await closing.check(call.kernel, call.caller, view, call.body)
    async with call.transaction() as uow:
        await closing.close(uow, call.caller, checked, call.kernel.now())
    return await _shown(call, call.path_id())


async def reopen_conversation(call: Call[Reopen, NoQuery]) -> View:
    """Open it again, as the caller's or (`queue`) for the queue. For its last operator and supervisors."""
    await require_visible(call.kernel, call.caller, call.path_id())

    async def write(uow: UnitOfWork, _: object) -> None:
        await closing.reopen(uow, call.caller, call.path_id(), queue=call.body.queue, now=call.kernel.now())

    await retrying(call.kernel, write)
    return await _shown(call, call.path_id())


async def add_note(call: Call[NoteIn, NoQuery]) -> View:
    """Write a note into the timeline; the customer never sees it."""
    async with _seen(call) as uow:
        return await notes.add_note(uow, call.caller, call.path_id(), call.body.text)


async def set_tags(call: Call[TagsIn, NoQuery]) -> View:
    """Replace all tags."""
    async with _seen(call) as uow:
        await notes.set_tags(uow, call.caller, call.path_id(), call.body.tags)
    return await _shown(call, call.path_id())


async def show_history(call: Call[None, PageQuery]) -> View:
    """Assignments, transfers, closings, notes and tags, newest first."""
    await require_visible(call.kernel, call.caller, call.path_id())
    return await timeline.page(call.kernel, call.path_id(), call.query.limit, call.query.cursor)


def _act(
    name: str, handler: Handler, summary: str, body: type[ApiModel] | None, *, body_optional: bool = False
) -> Operation:
    return Operation(
        "POST", f"{ONE}/{name}", handler, summary, TAG,
        body=body, answer=ConversationOut, refusals=(403, 404, 409), body_optional=body_optional,
    )  # fmt: skip


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST", "/api/conversations", start_conversation, "Open a conversation", TAG,
        body=OpenConversation, answer=ConversationOut, status=201, refusals=(404, 409),
    ),
    _act("assign", assign_conversation, "Take or give a conversation", Assign, body_optional=True),
    _act("transfer", transfer_conversation, "Hand a conversation on", Transfer),
    _act("release", release_conversation, "Give a conversation back to the queue", None),
    _act("close", close_conversation, "Close a conversation", Close),
    _act("reopen", reopen_conversation, "Open a closed conversation again", Reopen, body_optional=True),
    _act("tags", set_tags, "Replace a conversation's tags", TagsIn),
    Operation(
        "POST", ONE + "/notes", add_note, "Add a note for colleagues", TAG,
        body=NoteIn, answer=TimelineEntryOut, status=201, refusals=(404,),
    ),
    Operation(
        "GET", ONE + "/history", show_history, "Show what happened to a conversation, newest first", TAG,
        query=PageQuery, answer=TimelinePage, refusals=(404,),
    ),
)  # fmt: skip
