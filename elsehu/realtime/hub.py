"""The sockets of this process: who is connected, and from where on everything is delivered to them."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from elsehu.contracts.errors import TooMany
from elsehu.contracts.user import Caller
from elsehu.events import Event
from elsehu.events.cursors import Cursor
from elsehu.kernel import Kernel
from elsehu.realtime import hearing, upkeep
from elsehu.realtime.builtin import BUILT_IN
from elsehu.realtime.index import Groups
from elsehu.realtime.presence import Presence
from elsehu.realtime.registry import ClientEvent, Registry, Rendered, by_name
from elsehu.realtime.session import TRY_AGAIN_LATER, Session
from elsehu.realtime.subscriptions import Subscriptions
from elsehu.tasks import together


class Hub:
    """One a process. All that delivers is synchronous: between two events no socket can come, go or change."""

    def __init__(self, kernel: Kernel, registry: Registry) -> None:
        self.kernel = kernel
        self.registry = registry
        self.client_events: Mapping[str, ClientEvent] = by_name([*BUILT_IN, *registry.client_events.values()])
        self.presence = Presence(kernel)
        self.subscriptions = Subscriptions(registry.event_types)
        self._is_ready = asyncio.Event()
        self._has_visitors = asyncio.Event()
        self.cursor = ""
        self._stand: Cursor | None = None
        self._sessions: set[Session] = set()
        self._owners: Groups[UUID] = Groups()
        self._hears = asyncio.Event()

    @property
    def stand(self) -> Cursor:
        """Where the relay stands: everything before it has been delivered."""
        assert self._stand is not None, "the relay has not started"
        return self._stand

    def start_at(self, stand: Cursor) -> None:
        """Take over where the relay starts. Sockets that stood elsewhere cannot be led there: they must come anew."""
        self._stand_at(stand)
        self._is_ready.set()
        for session in self._sessions:
            session.close(TRY_AGAIN_LATER, "other_database", drop=True)

    async def doze(self) -> None:
        """Wait until somebody wants to come in: while nobody is there, nothing need be read."""
        self._is_ready.clear()
        await self._has_visitors.wait()
        self._has_visitors.clear()

    async def ready(self) -> None:
        """Wait until the relay stands at the present: whoever is admitted right then gets all that follows.

        And until the hub hears of sessions that end, so that no socket outlives its own.
        """
        await self._hears.wait()
        self._has_visitors.set()
        await self._is_ready.wait()

    def _stand_at(self, stand: Cursor) -> None:
        self._stand, self.cursor = stand, stand.encode()

    # Coming and going -----------------------------------------------------------------------------------

    def admit(self, session: Session) -> None:
        """Add a socket. Raises TooMany."""
        owner = owner_of(session.caller)
        if len(self._owners.of(owner)) >= self.kernel.settings.realtime.sockets_per_user:
            raise TooMany("too_many_sockets", "This user has too many sockets open. Close one first.")
        self._sessions.add(session)
        self.subscriptions.add(session)
        if self._owners.add(owner, session) and session.caller.user_id:
            self.presence.arrived(session.caller.user_id)
        session.cursor = self.cursor
        self._has_visitors.set()

    def dismiss(self, session: Session) -> None:
        """Forget a socket."""
        self._sessions.discard(session)
        self.subscriptions.discard(session)
        if self._owners.discard(owner_of(session.caller), session) and session.caller.user_id:
            self.presence.left(session.caller.user_id)

    def renew(self, session: Session, caller: Caller, token: str) -> None:
        """Take over what a newer look at a socket's user says: the role may be another."""
        self.subscriptions.discard(session)
        session.authenticated(caller, token, self.kernel.now())
        self.subscriptions.add(session)

    # Delivering ----------------------------------------------------------------------------------------

    def deliver(self, events: Sequence[Event], rendered: Mapping[int, Rendered], stand: Cursor) -> None:
        """Queue a batch of events for whoever looks and may see them; the relay stands at `stand` then."""
        addressed = self.subscriptions.addressed(events, rendered)
        old = self.cursor
        self._stand_at(stand)
        for session, batch in addressed.items():
            session.deliver(batch, old, self.cursor)

    # Looking after -------------------------------------------------------------------------------------

    @property
    def has_sockets(self) -> bool:
        """Whether any socket is open."""
        return bool(self._sessions)

    def __contains__(self, session: Session) -> bool:
        """Whether a socket is (still) open."""
        return session in self._sessions

    def sessions(self) -> list[Session]:
        """Return all sockets."""
        return list(self._sessions)

    def sessions_of(self, owner: UUID) -> list[Session]:
        """Return the sockets of a user or an API key."""
        return list(self._owners.of(owner))

    async def run(self) -> None:
        """Hear what other processes tell, keep presence, and look after the sockets."""
        if not self._hears.is_set():
            await hearing.listen(self)
            self._hears.set()
        await together(self.presence.run(), upkeep.look_after(self))


def owner_of(caller: Caller) -> UUID:
    """Return whose socket it is: a user's, or an API key's."""
    owner = caller.user_id or caller.api_key_id
    assert owner
    return owner
