"""Wake-ups between the parts of Elsehu, in this process at once and in the others over the bus.

A signal says only that there may be work ("events", "outbound", "media", "instances"). It can be lost:
whoever waits for one also looks by itself now and then, because the row is the queue.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from elsehu.bus import Bus
from elsehu.ids import new_id
from elsehu.tasks import end

CHANNEL = "elsehu.signals"
Listener = Callable[[], None]


class Signals:
    """Carries signals between waiters and those who committed something."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._origin = str(new_id())
        self._listeners: dict[str, list[Listener]] = {}
        self._unpublished: set[str] = set()
        self._wake_publisher = asyncio.Event()

    def emit(self, names: Iterable[str]) -> None:
        """Wake this process's listeners now, and the other processes' as soon as the bus takes it."""
        for name in names:
            self._unpublished.add(name)
            self._tell(name)
        self._wake_publisher.set()

    def listen(self, name: str, listener: Listener) -> None:
        """Call `listener` (quick, not async) whenever `name` is signalled."""
        self._listeners.setdefault(name, []).append(listener)

    def event(self, name: str) -> asyncio.Event:
        """Return an asyncio event that is set whenever `name` is signalled; its waiter clears it."""
        woken = asyncio.Event()
        self.listen(name, woken.set)
        return woken

    def _tell(self, name: str) -> None:
        for listener in self._listeners.get(name, ()):
            listener()

    def _heard(self, hint: dict[str, Any]) -> None:
        """Pass on what another process said; who listens here was told of our own at once."""
        if hint.get("origin") == self._origin:
            return
        for name in hint.get("names", ()):
            self._tell(name)

    async def _publish_forever(self) -> None:
        while True:
            await self._wake_publisher.wait()
            self._wake_publisher.clear()
            names, self._unpublished = self._unpublished, set()
            await self._bus.publish(CHANNEL, {"names": sorted(names), "origin": self._origin})


@asynccontextmanager
async def open_signals(bus: Bus) -> AsyncIterator[Signals]:
    """Connect this process's signals with the others'."""
    signals = Signals(bus)
    await bus.listen(CHANNEL, signals._heard)
    publisher = asyncio.create_task(signals._publish_forever())
    try:
        yield signals
    finally:
        await end([publisher])
