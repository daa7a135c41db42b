"""What runs the rules: one in each web process, of which one works."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog

from elsehu.background import woken
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.desk.automatic import leaving, presence, returning
from elsehu.desk.automatic.assigning import assign_waiting
from elsehu.events import SIGNAL
from elsehu.kernel import Kernel
from elsehu.realtime.presence import CHANNEL

log = structlog.get_logger("elsehu.desk")

LOCK = 0x61737367
TURN_SECONDS = 2.0
SWEEP_SECONDS = 1.0
PACE_SECONDS = 0.05
"""At least between two rounds, so that many events cause one."""


class Assigner:
    """Whoever holds the advisory lock follows who is there, gives, and takes back; the others wait for their turn.

    It is woken by every event and by people who come and go, and looks by itself every second.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._woken = kernel.signals.event(SIGNAL)
        self._hears = False
        self._someone_moved = True
        self._followed_at = 0.0
        self._known_since: datetime | None = None

    async def run(self) -> None:
        """Work while there is something to do by rules, and this process is the one."""
        if not self._hears:
            await self._kernel.bus.listen(CHANNEL, self._heard)
            self._hears = True
        while True:
            try:
                await self._take_turn()
            except CONNECTION_LOST as error:
                log.warning("assigner_waits", error=type(error).__name__)
            await asyncio.sleep(TURN_SECONDS)

    def _heard(self, _: dict[str, Any]) -> None:
        self._someone_moved = True
        self._woken.set()

    async def _take_turn(self) -> None:
        if not await self._is_needed():
            return
        async with self._kernel.db.session() as uow:
            if await uow.fetch_value("SELECT pg_try_advisory_lock($1)", LOCK):
                self._known_since = None
                while await self._is_needed():
                    await self._round(uow)
                    await woken(self._woken, SWEEP_SECONDS)
                    await asyncio.sleep(PACE_SECONDS)

    async def _is_needed(self) -> bool:
        desk = self._kernel.settings.desk
        if desk.assignment_rules or desk.offline_minutes is not None:
            return True
        return await returning.are_wanted(self._kernel)

    async def _round(self, uow: UnitOfWork) -> None:
        await self._follow(uow)
        if self._known_since is None:
            return
        desk = self._kernel.settings.desk
        if desk.offline_minutes is not None:
            gone_since = self._kernel.now() - timedelta(minutes=desk.offline_minutes)
            if self._known_since <= gone_since:  # who is gone since we were not there to see it may be on the way
                await leaving.take_back(self._kernel, gone_since)
        await returning.give_returned(self._kernel)
        if desk.assignment_rules:
            await assign_waiting(self._kernel)

    async def _follow(self, uow: UnitOfWork) -> None:
        """Follow who is there when somebody came or went, and every second. On the connection that holds the lock:
        whoever has lost it writes nothing any more."""
        now = asyncio.get_running_loop().time()
        if not self._someone_moved and now < self._followed_at + SWEEP_SECONDS:
            return
        self._someone_moved = False
        self._followed_at = now
        if not await presence.follow(uow, self._kernel):
            self._known_since = None
        elif self._known_since is None:
            self._known_since = self._kernel.now()
