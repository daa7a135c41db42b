"""From the outbox to the sockets of this process: read what is new, render it once, hand it to the hub."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from elsehu.background import woken
from elsehu.db import CONNECTION_LOST
from elsehu.events import SIGNAL, Event, reading
from elsehu.events.cursors import Cursor
from elsehu.events.positions import Position
from elsehu.kernel import Kernel
from elsehu.realtime.hub import Hub
from elsehu.realtime.registry import Registry, Rendered

log = structlog.get_logger("elsehu.realtime")

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.25
ORIENT_SECONDS = 5.0
PAGE_EVENTS = 500
PAUSE_SECONDS = 0.005


class Relay:
    """One a process. What it has delivered is its position, so that whatever breaks, nothing is skipped."""

    def __init__(self, kernel: Kernel, hub: Hub, registry: Registry) -> None:
        self._kernel = kernel
        self._hub = hub
        self._registry = registry
        self._woken = kernel.signals.event(SIGNAL)
        self._life = ""
        self._orient_at = 0.0

    async def run(self) -> None:
        """Deliver what is committed, at once when told of it, and every second in case nobody told."""
        while True:
            try:
                await self._deliver_all()
            except CONNECTION_LOST as error:
                if self._orient_at:
                    log.warning("relay_waits", error=type(error).__name__)
                self._orient_at = 0.0
                await asyncio.sleep(RETRY_SECONDS)
            else:
                await self._rest()

    async def _deliver_all(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._orient_at:
            await self._orient()
            self._orient_at = now + ORIENT_SECONDS
        if not self._hub.has_sockets:
            await self._pass_over()
        while self._hub.has_sockets and await self._deliver_page() >= PAGE_EVENTS:
            pass

    async def _rest(self) -> None:
        """Wait for the next signal; without sockets, for the first one that wants to come."""
        # Under load, what is committed within a few milliseconds is read and rendered together.
        await asyncio.sleep(PAUSE_SECONDS)
        if self._hub.has_sockets:
            await woken(self._woken, POLL_SECONDS)
        else:
            await self._hub.doze()

    async def _pass_over(self) -> None:
        """Stand at the present. A socket that came meanwhile was promised all since where we stood: then stay there."""
        async with self._kernel.db.reader() as uow:
            position = await reading.now(uow)
        if not self._hub.has_sockets:
            self._hub.start_at(self._cursor(position))

    async def _orient(self) -> None:
        """Start at the present; later make sure that this is still the database that we stood in."""
        async with self._kernel.db.reader() as uow:
            life = await reading.database_life(uow)
            if life == self._life and await reading.is_possible(uow, self._hub.stand.position):
                return
            await reading.drop_foreign(uow)
            self._life = life
            self._hub.start_at(self._cursor(await reading.now(uow)))

    async def _deliver_page(self) -> int:
        async with self._kernel.db.reader() as uow:
            events, position = await reading.read_since(uow, self._hub.stand.position, PAGE_EVENTS)
        rendered = await self._render(events)
        self._hub.deliver(events, rendered, self._cursor(position))
        if events:
            self._kernel.metrics.delivered(len(events), (self._kernel.now() - events[0].at).total_seconds())
        return len(events)

    async def _render(self, events: Sequence[Event]) -> Mapping[int, Rendered]:
        """Render what any socket may want; look again, for while we rendered another socket may have come."""
        rendered: dict[int, Rendered] = {}
        done: set[int] = set()
        while wanted := [
            event for event in events if event.seq not in done and self._hub.subscriptions.is_wanted(event)
        ]:
            done.update(event.seq for event in wanted)
            rendered |= await self._registry.render(self._kernel, wanted)
        return rendered

    def _cursor(self, position: Position) -> Cursor:
        return Cursor(position, self._kernel.now(), self._life)
