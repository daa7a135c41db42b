"""The sockets of this process: who is connected, who looks at what, and who may see an event."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import TooMany
from elsehu.contracts.user import Caller
from elsehu.events import Event
from elsehu.events.cursors import Cursor
from elsehu.kernel import Kernel
from elsehu.realtime import hearing, upkeep
from elsehu.realtime.builtin import BUILT_IN
from elsehu.realtime.frames import EventFrame
from elsehu.realtime.index import Groups, People
from elsehu.realtime.presence import Presence
from elsehu.realtime.registry import ClientEvent, Registry, Rendered, by_name
from elsehu.realtime.session import Session

Outbox = dict[Session, list[EventFrame]]


class Hub:
    """One a process. All that delivers is synchronous: between two events no socket can come, go or change."""

    def __init__(self, kernel: Kernel, registry: Registry) -> None:
        self.kernel = kernel
        self.registry = registry
        self.client_events: Mapping[str, ClientEvent] = by_name([*BUILT_IN, *registry.client_events.values()])
        self.presence = Presence(kernel)
        self.is_ready = asyncio.Event()
        self.cursor = ""
        self._stand: Cursor | None = None
        self._sessions: set[Session] = set()
        self._people = People()
        self._inboxes = People()
        self._rooms: Groups[UUID] = Groups()
        self._owners: Groups[UUID] = Groups()
        self._is_listening = False

    @property
    def stand(self) -> Cursor:
        """Where the relay stands: everything before it has been delivered."""
        assert self._stand is not None, "the relay has not started"
        return self._stand

    def start_at(self, stand: Cursor) -> None:
        """Take over where the relay starts. Sockets that are open already can't be led there: they start anew, too."""
        self._stand_at(stand)
        self.is_ready.set()
        for session in self._sessions:
            session.start_over("other_database")

    def _stand_at(self, stand: Cursor) -> None:
        self._stand, self.cursor = stand, stand.encode()

    # Coming, going, looking ----------------------------------------------------------------------------

    def admit(self, session: Session) -> None:
        """Add a socket. Raises TooMany."""
        owner = owner_of(session.caller)
        if len(self._owners.of(owner)) >= self.kernel.settings.realtime.sockets_per_user:
            raise TooMany("too_many_sockets", "This user has too many sockets open. Close one first.")
        self._sessions.add(session)
        self._people.add(session)
        if self._owners.add(owner, session) and session.caller.user_id:
            self.presence.arrived(session.caller.user_id)
        session.cursor = self.cursor

    def dismiss(self, session: Session) -> None:
        """Forget a socket."""
        session.subscribe(None)
        for conversation_id in list(session.rooms):
            session.leave(conversation_id)
        self._sessions.discard(session)
        self._people.discard(session)
        if self._owners.discard(owner_of(session.caller), session) and session.caller.user_id:
            self.presence.left(session.caller.user_id)

    def renew(self, session: Session, caller: Caller, token: str) -> None:
        """Take over what a newer look at a socket's user says: the role may be another."""
        self._people.discard(session)
        self._inboxes.discard(session)
        session.authenticated(caller, token, self.kernel.now())
        self._people.add(session)
        self.inbox_changed(session)

    def enter_room(self, session: Session, conversation_id: UUID) -> None:
        """Note that a socket is in a conversation's room."""
        self._rooms.add(conversation_id, session)

    def leave_room(self, session: Session, conversation_id: UUID) -> None:
        """Note that a socket has left a conversation's room."""
        self._rooms.discard(conversation_id, session)

    def inbox_changed(self, session: Session) -> None:
        """Note whether a socket has an inbox."""
        if session.inbox is None:
            self._inboxes.discard(session)
        else:
            self._inboxes.add(session)

    # Delivering ----------------------------------------------------------------------------------------

    def is_wanted(self, event: Event) -> bool:
        """Whether any socket may want an event."""
        if event.type not in self.registry.event_types:
            return False
        if event.conversation_id is None:
            return bool(self._sessions)
        return bool(self._inboxes) or event.conversation_id in self._rooms

    def deliver(self, events: Sequence[Event], rendered: Mapping[int, Rendered], stand: Cursor) -> None:
        """Queue a batch of events for whoever looks and may see them; the relay stands at `stand` then."""
        outbox: Outbox = defaultdict(list)
        for event in events:
            if event.seq in rendered:
                self._address(event, rendered[event.seq], outbox)
        old = self.cursor
        self._stand_at(stand)
        for session, batch in outbox.items():
            session.deliver(batch, old, self.cursor)

    def select(self, session: Session, events: Sequence[Event], rendered: Mapping[int, Rendered]) -> list[EventFrame]:
        """Return the frames that one socket gets of some events."""
        outbox: Outbox = defaultdict(list)
        for event in events:
            if event.seq in rendered:
                self._address_to(session, event, rendered[event.seq], _Frames(event, rendered[event.seq]), outbox)
        return outbox[session]

    def _address(self, event: Event, rendered: Rendered, outbox: Outbox) -> None:
        made = _Frames(event, rendered)
        for session in self._candidates(event, rendered):
            self._address_to(session, event, rendered, made, outbox)

    def _candidates(self, event: Event, rendered: Rendered) -> set[Session]:
        people = self._people if event.conversation_id is None else self._inboxes
        found = people.within(rendered.audience)
        if rendered.farewell:
            found |= people.within(rendered.farewell.audience)
        if event.conversation_id is not None:
            found |= self._rooms.of(event.conversation_id)
        return found

    def _address_to(self, session: Session, event: Event, rendered: Rendered, made: "_Frames", outbox: Outbox) -> None:
        if not session.wants(self.registry.event_types[event.type], event, rendered):
            return
        if rendered.audience.includes(session.caller):
            outbox[session].append(made.whole)
            return
        if rendered.farewell and rendered.farewell.audience.includes(session.caller):
            outbox[session].append(made.farewell)
        if event.conversation_id in session.rooms:
            session.leave(event.conversation_id)

    # Looking after -------------------------------------------------------------------------------------

    def __contains__(self, session: Session) -> bool:
        """Whether a socket is (still) open."""
        return session in self._sessions

    def sessions(self) -> list[Session]:
        """Return all sockets."""
        return list(self._sessions)

    def sessions_of(self, owner: UUID) -> list[Session]:
        """Return the sockets of a user or an API key."""
        return list(self._owners.of(owner))

    def sessions_in(self, conversation_id: UUID) -> list[Session]:
        """Return the sockets in a conversation's room."""
        return list(self._rooms.of(conversation_id))

    async def run(self) -> None:
        """Hear what other processes tell, keep presence, and look after the sockets."""
        if not self._is_listening:
            self._is_listening = True
            await hearing.listen(self)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.presence.run())
            tasks.create_task(upkeep.look_after(self))


class _Frames:
    """An event's frames, each serialised only if somebody gets it."""

    def __init__(self, event: Event, rendered: Rendered) -> None:
        self._event = event
        self._rendered = rendered
        self._made: dict[str, EventFrame] = {}

    @property
    def whole(self) -> EventFrame:
        """The whole event."""
        return self._make("whole", self._rendered.data)

    @property
    def farewell(self) -> EventFrame:
        """The trimmed event for those who may not see its subject any more."""
        assert self._rendered.farewell
        return self._make("farewell", self._rendered.farewell.data)

    def _make(self, name: str, data: Mapping[str, Any]) -> EventFrame:
        if name not in self._made:
            self._made[name] = EventFrame(self._event, data)
        return self._made[name]


def owner_of(caller: Caller) -> UUID:
    """Return whose socket it is: a user's, or an API key's."""
    owner = caller.user_id or caller.api_key_id
    assert owner
    return owner
