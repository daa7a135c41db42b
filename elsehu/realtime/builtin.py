"""The client events of the socket itself; slices offer theirs beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from elsehu.clock import from_epoch, isoformat
from elsehu.contracts.errors import Conflict, DomainError, PermissionDenied, Unauthenticated
from elsehu.contracts.user import Caller
from elsehu.events.cursors import read_cursor
from elsehu.http.operations import Authenticator
from elsehu.kernel import Kernel
from elsehu.realtime import replay
from elsehu.realtime.registry import ClientEvent
from elsehu.realtime.schemas import Auth, ConversationRef, InboxSubscribe, Nothing, OperatorStatus, Resume

if TYPE_CHECKING:
    from elsehu.realtime.session import Session

JOIN = "conversation:join"


async def auth(kernel: Kernel, caller: Caller, session: "Session", data: Auth) -> Mapping[str, Any]:
    """Go on with a newer token of the same user. Raises Unauthenticated, which closes the socket."""
    authenticator = kernel.part(Authenticator)  # type: ignore[type-abstract]
    renewed = await authenticator.authenticate(data.token)
    if (renewed.user_id, renewed.api_key_id) != (caller.user_id, caller.api_key_id):
        raise Unauthenticated("other_user", "This token is another user's. Open a new socket for it.")
    session.hub.renew(session, renewed, data.token)
    return who(renewed)


def who(caller: Caller) -> dict[str, Any]:
    """Return what a socket is told of its own user."""
    user_id = str(caller.user_id) if caller.user_id else None
    expires_at = None if caller.expires_at is None else isoformat(from_epoch(caller.expires_at))
    return {"user": {"id": user_id, "name": caller.name, "role": caller.role}, "expiresAt": expires_at}


async def resume(kernel: Kernel, caller: Caller, session: "Session", data: Resume) -> Mapping[str, Any]:
    """Start the replay of everything since a cursor. Raises Invalid for what is no cursor."""
    if session.flow is not session.flow.LIVE:
        raise Conflict("resume_in_progress", "A replay is under way on this socket; wait for `resumed`.")
    cursor = read_cursor(data.cursor)
    if data.inbox is not None:
        session.subscribe(data.inbox)
    refused = [refusal for one in data.join if (refusal := await _join(kernel, caller, session, one))]
    replay.start(session, cursor)
    return {"refused": refused}


async def _join(kernel: Kernel, caller: Caller, session: "Session", conversation_id: UUID) -> dict[str, str] | None:
    join = session.hub.client_events[JOIN]
    try:
        await join.handler(kernel, caller, session, join.schema.model_validate({"conversationId": conversation_id}))
    except DomainError as refused:
        return {"conversationId": str(conversation_id), "code": refused.code}
    return None


async def operator_status(_: Kernel, caller: Caller, session: "Session", data: OperatorStatus) -> None:
    """Be seen as `away`, `offline` or `online` while sockets are open."""
    if caller.user_id is None:
        raise PermissionDenied("users_only", "Only a person can be away; this socket belongs to an API key.")
    session.hub.presence.choose(caller.user_id, data.status)


async def inbox_subscribe(_: Kernel, caller: Caller, session: "Session", data: InboxSubscribe) -> None:
    """Get list-level events of all that the user may see and that passes the filter."""
    session.subscribe(data.filter)


async def inbox_unsubscribe(_: Kernel, caller: Caller, session: "Session", data: Nothing) -> None:
    """Get no list-level events any more."""
    session.subscribe(None)


async def leave(_: Kernel, caller: Caller, session: "Session", data: ConversationRef) -> None:
    """Leave a conversation's room."""
    session.leave(data.conversation_id)


BUILT_IN: Sequence[ClientEvent] = (
    ClientEvent("auth", Auth, auth),
    ClientEvent("resume", Resume, resume),
    ClientEvent("operator:status", OperatorStatus, operator_status),
    ClientEvent("inbox:subscribe", InboxSubscribe, inbox_subscribe),
    ClientEvent("inbox:unsubscribe", Nothing, inbox_unsubscribe),
    ClientEvent("conversation:leave", ConversationRef, leave),
)
