"""Who looks at what, and who may see it: to whom an event goes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from uuid import UUID

from elsehu.events import Event
from elsehu.realtime.frames import EventFrame
from elsehu.realtime.index import Groups, People
from elsehu.realtime.registry import EventType, Rendered
from elsehu.realtime.session import Session

Addressed = dict[Session, list[EventFrame]]


class Subscriptions:
    """The rooms and inboxes of a process's sockets. Rights are looked at anew for every event."""

    def __init__(self, event_types: Mapping[str, EventType]) -> None:
        self._event_types = event_types
        self._people = People()
        self._inboxes = People()
        self._rooms: Groups[UUID] = Groups()

    def add(self, session: Session) -> None:
        """Add a socket with all that it looks at."""
        self._people.add(session)
        for conversation_id in session.rooms:
            self._rooms.add(conversation_id, session)
        self.inbox_changed(session)

    def discard(self, session: Session) -> None:
        """Take a socket out. Its role must be the one with which it was added."""
        self._people.discard(session)
        self._inboxes.discard(session)
        for conversation_id in session.rooms:
            self._rooms.discard(conversation_id, session)

    def inbox_changed(self, session: Session) -> None:
        """Note whether a socket has an inbox."""
        if session.inbox is None:
            self._inboxes.discard(session)
        else:
            self._inboxes.add(session)

    def entered(self, session: Session, conversation_id: UUID) -> None:
        """Note that a socket is in a conversation's room."""
        self._rooms.add(conversation_id, session)

    def left(self, session: Session, conversation_id: UUID) -> None:
        """Note that a socket has left a conversation's room."""
        self._rooms.discard(conversation_id, session)

    def room(self, conversation_id: UUID) -> list[Session]:
        """Return the sockets in a conversation's room."""
        return list(self._rooms.of(conversation_id))

    def is_wanted(self, event: Event) -> bool:
        """Whether any socket may want an event."""
        if event.type not in self._event_types:
            return False
        if event.conversation_id is None:
            return bool(self._people)
        return bool(self._inboxes) or event.conversation_id in self._rooms

    def addressed(self, events: Sequence[Event], rendered: Mapping[int, Rendered]) -> Addressed:
        """Return the frames that each socket gets of some events, in their order."""
        found: Addressed = defaultdict(list)
        for event in events:
            if event.seq in rendered:
                frames = _Frames(event, rendered[event.seq])
                for session in self._candidates(event, rendered[event.seq]):
                    self._address(session, frames, found)
        return found

    def addressed_to(
        self, session: Session, events: Sequence[Event], rendered: Mapping[int, Rendered]
    ) -> list[EventFrame]:
        """Return the frames that one socket gets of some events, in their order."""
        found: Addressed = defaultdict(list)
        for event in events:
            if event.seq in rendered:
                self._address(session, _Frames(event, rendered[event.seq]), found)
        return found[session]

    def _candidates(self, event: Event, rendered: Rendered) -> set[Session]:
        people = self._people if event.conversation_id is None else self._inboxes
        found = people.within(rendered.audience)
        if rendered.farewell:
            found |= people.within(rendered.farewell.audience)
        if event.conversation_id is not None:
            found |= self._rooms.of(event.conversation_id)
        return found

    def _address(self, session: Session, frames: "_Frames", found: Addressed) -> None:
        """Add what a socket may see of an event. Whoever may not see a conversation any more is put out of its room."""
        event, rendered = frames.event, frames.rendered
        if not session.wants(self._event_types[event.type], event, rendered):
            return
        if rendered.audience.includes(session.caller):
            found[session].append(frames.whole)
            return
        if rendered.farewell and rendered.farewell.audience.includes(session.caller):
            found[session].append(frames.farewell)
        if event.conversation_id is not None:
            session.leave(event.conversation_id)


class _Frames:
    """An event's frames, each serialised when somebody gets it first."""

    def __init__(self, event: Event, rendered: Rendered) -> None:
        self.event = event
        self.rendered = rendered

    @cached_property
    def whole(self) -> EventFrame:
        """The whole event."""
        return EventFrame(self.event, self.rendered.data)

    @cached_property
    def farewell(self) -> EventFrame:
        """What whoever may not see its subject any more gets instead."""
        assert self.rendered.farewell
        return EventFrame(self.event, self.rendered.farewell.data)
