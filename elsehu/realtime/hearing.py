"""What the hub hears from other processes and parts: ended sessions, who types, who is there."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from elsehu.realtime import frames, presence, upkeep
from elsehu.realtime.session import UNAUTHENTICATED

if TYPE_CHECKING:
    from elsehu.realtime.hub import Hub

SESSIONS = "elsehu.sessions"
TYPING = "elsehu.typing"


async def listen(hub: "Hub") -> None:
    """Listen for as long as the bus is open."""
    await hub.kernel.bus.listen(SESSIONS, partial(heard_of_sessions, hub))
    await hub.kernel.bus.listen(TYPING, partial(heard_typing, hub))
    await hub.kernel.bus.listen(presence.CHANNEL, partial(heard_presence, hub))


async def heard_of_sessions(hub: "Hub", hint: dict[str, Any]) -> None:
    """Close the sockets of ended sessions and keys; where a user's rights have changed, look at them again."""
    ended = hint.get("session_ids") or ()
    owners = [UUID(hint[name]) for name in ("user_id", "api_key_id") if hint.get(name)]
    for session in [one for owner in owners for one in hub.sessions_of(owner)]:
        if session.caller.api_key_id or str(session.caller.session_id) in ended:
            session.close(UNAUTHENTICATED, "session_ended", drop=True)
        elif not ended:
            await upkeep.recheck(hub, session)


def heard_typing(hub: "Hub", hint: dict[str, Any]) -> None:
    """Show a conversation's room that somebody else types there."""
    frame = frames.notice("typing", hub.kernel.now(), hint)
    author = (hint.get("user") or {}).get("id")
    for session in hub.subscriptions.room(UUID(hint["conversationId"])):
        if str(session.caller.user_id) != author:
            session.put(frame)


def heard_presence(hub: "Hub", hint: dict[str, Any]) -> None:
    """Show everybody that somebody came, went, or is away."""
    frame = frames.notice("operator:status", hub.kernel.now(), hint)
    for session in hub.sessions():
        session.put(frame)
