"""Telling plugins what happened: after commit, in order, by one process at a time, at least once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from elsehu.background import woken
from elsehu.contracts.errors import Invalid
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.events import SIGNAL, Event, reading
from elsehu.events.cursors import Cursor, read_cursor
from elsehu.events.positions import Position
from elsehu.kernel import Kernel
from elsehu.realtime.registry import Registry

log = structlog.get_logger("elsehu.realtime")

NAME = "plugins"
LOCK = 0x6E6F7469
TURN_SECONDS = 2.0
POLL_SECONDS = 1.0
PAUSE_SECONDS = 0.02
"""What is committed within it is told together: where one got to is written down for all of it."""

PAGE_EVENTS = 100
FIND = "SELECT position FROM event_readers WHERE name = $1"
SAVE = """
INSERT INTO event_readers (name, position, updated_at) VALUES ($1, $2, now())
ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
"""


class Notifier:
    """One a process, of which one works: whoever holds the advisory lock. Its position is in the database."""

    def __init__(self, kernel: Kernel, registry: Registry) -> None:
        self._kernel = kernel
        self._registry = registry
        self._woken = kernel.signals.event(SIGNAL)
        self._life = ""

    async def run(self) -> None:
        """Tell plugins what is committed. Sleeps for good where no plugin listens."""
        hooks = {
            kind.name: kind.hook
            for kind in self._registry.event_types.values()
            if kind.hook and self._kernel.plugins.listens(kind.hook)
        }
        if not hooks:
            await asyncio.Event().wait()
        while True:
            try:
                async with self._kernel.db.session() as uow:
                    if await uow.fetch_value("SELECT pg_try_advisory_lock($1)", LOCK):
                        await self._tell_forever(uow, hooks)
            except CONNECTION_LOST as error:
                log.warning("notifier_waits", error=type(error).__name__)
            await asyncio.sleep(TURN_SECONDS)

    async def _tell_forever(self, uow: UnitOfWork, hooks: dict[str, str]) -> None:
        """Tell, then remember how far: a process that dies in between has its successor tell once more."""
        self._life = await reading.database_life(uow)
        position = await self._position(uow)
        while True:
            events, after = await reading.read_since(uow, position, PAGE_EVENTS)
            await self._tell([event for event in events if event.type in hooks], hooks)
            if after != position:
                position = after
                await self._save(uow, position)
            if len(events) < PAGE_EVENTS:
                await woken(self._woken, POLL_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _tell(self, events: Sequence[Event], hooks: dict[str, str]) -> None:
        rendered = await self._registry.render(self._kernel, events)
        for event in events:
            if event.seq in rendered:
                await self._kernel.plugins.notify(hooks[event.type], rendered[event.seq].data, self._kernel)

    async def _position(self, uow: UnitOfWork) -> Position:
        """Return how far was told; the present where nobody has told yet, or in another database than this."""
        stored = await uow.fetch_value(FIND, NAME)
        with suppress(Invalid):
            cursor = read_cursor(stored or "")
            if cursor.life == self._life and await reading.is_possible(uow, cursor.position):
                return cursor.position
        position = await reading.now(uow)
        await self._save(uow, position)
        return position

    async def _save(self, uow: UnitOfWork, position: Position) -> None:
        await uow.execute(SAVE, NAME, Cursor(position, self._kernel.now(), self._life).encode())
