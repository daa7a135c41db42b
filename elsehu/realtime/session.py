"""One authenticated socket: who it is, what it looks at, and what waits to be written to it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from elsehu.contracts.errors import Conflict
from elsehu.contracts.user import Caller
from elsehu.events import Event
from elsehu.realtime import frames
from elsehu.realtime.frames import EventFrame
from elsehu.realtime.outgoing import Outgoing
from elsehu.realtime.registry import EventType, Rendered
from elsehu.realtime.schemas import InboxFilter

if TYPE_CHECKING:
    from elsehu.realtime.hub import Hub

MOST_ROOMS = 1000
UNAUTHENTICATED = 4401
TRY_AGAIN_LATER = 1013
EXPIRING_SECONDS = 60.0
EXPIRING_SHARE = 0.1


class Flow(Enum):
    """What becomes of live events: they go out, a replay will bring them, or they wait for its end."""

    LIVE = auto()
    REPLAYED = auto()
    HELD = auto()


class Session:
    """What the hub and the handlers of client events know of a socket."""

    def __init__(self, hub: "Hub", caller: Caller, token: str, outgoing: Outgoing) -> None:
        self.hub = hub
        self.caller = caller
        self.token = token
        self.outgoing = outgoing
        self.rooms: set[UUID] = set()
        self.inbox: InboxFilter | None = None
        self.flow = Flow.LIVE
        self.replay: asyncio.Task[None] | None = None
        self.cursor = ""
        self.look_at = asyncio.get_running_loop().time() + hub.kernel.settings.realtime.ping_interval
        self.looks = 0
        self._held: list[tuple[Sequence[EventFrame], str, str]] = []
        self._timers: list[asyncio.TimerHandle] = []

    # What handlers use ---------------------------------------------------------------------------------

    def put(self, frame: str) -> None:
        """Queue a frame for the socket. Never waits."""
        self.outgoing.put(frame)

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close the socket (see `Outgoing.close`)."""
        self.outgoing.close(code, reason, drop=drop)

    def join(self, conversation_id: UUID) -> None:
        """Take part in a conversation's room; its caller has checked that the user may. Raises Conflict."""
        if len(self.rooms) >= MOST_ROOMS and conversation_id not in self.rooms:
            raise Conflict("too_many_rooms", f"A socket may be in {MOST_ROOMS} conversations; leave some first.")
        self.rooms.add(conversation_id)
        self.hub.subscriptions.entered(self, conversation_id)

    def leave(self, conversation_id: UUID) -> None:
        """Leave a conversation's room."""
        self.rooms.discard(conversation_id)
        self.hub.subscriptions.left(self, conversation_id)

    def subscribe(self, inbox: InboxFilter | None) -> None:
        """Get list-level events of what passes the filter; None: of nothing."""
        self.inbox = inbox
        self.hub.subscriptions.inbox_changed(self)

    # What the hub uses ---------------------------------------------------------------------------------

    def wants(self, kind: EventType, event: Event, rendered: Rendered) -> bool:
        """Whether the socket has asked for an event, whoever may see it."""
        if event.conversation_id is None or event.conversation_id in self.rooms:
            return True
        return self.inbox is not None and self.inbox.passes(rendered.labels, self.caller, moves=kind.moves)

    def deliver(self, batch: Sequence[EventFrame], old: str, new: str) -> None:
        """Queue a batch of live events. Only the last takes the client on from the cursor `old` to `new`."""
        if self.flow is Flow.LIVE:
            for frame in batch[:-1]:
                self.put(frame.text(old))
            self.put(batch[-1].text(new))
            self.cursor = new
        elif self.flow is Flow.HELD:
            self._held.append((batch, old, new))

    def start_over(self, reason: str) -> None:
        """Have the client load everything anew and go on from where the hub stands."""
        self.cursor = self.hub.cursor
        self.put(frames.notice("resync", self.hub.kernel.now(), {"reason": reason}, cursor=self.cursor))

    def go_live(self) -> None:
        """Queue what was held back, and from now on what comes."""
        held, self._held = self._held, []
        self.flow = Flow.LIVE
        for batch, old, new in held:
            self.deliver(batch, old, new)

    def authenticated(self, caller: Caller, token: str, now: datetime) -> None:
        """Take over what a token says, and close the socket when that has expired."""
        self.caller, self.token = caller, token
        self.stop_timers()
        if caller.expires_at is None:
            return
        lifetime = caller.expires_at - now.timestamp()
        warning = lifetime - min(EXPIRING_SECONDS, lifetime * EXPIRING_SHARE)
        loop = asyncio.get_running_loop()
        self._timers = [
            loop.call_later(warning, self._warn, caller.expires_at),
            loop.call_later(lifetime, self.close, UNAUTHENTICATED, "token_expired"),
        ]

    def stop_timers(self) -> None:
        """Forget when the token expires."""
        for timer in self._timers:
            timer.cancel()

    def _warn(self, expires_at: float) -> None:
        now = self.hub.kernel.now()
        self.put(frames.notice("auth:expiring", now, {"expiresIn": round(expires_at - now.timestamp(), 1)}))
