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
from elsehu.tasks import together

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
        self._somebody_moved = asyncio.Event()
        self._hears = False
        self._known_since: datetime | None = None

    async def run(self) -> None:
        """Work while there is something to do by rules, and this process is the one."""
        if not self._hears:
            await self._kernel.bus.listen(CHANNEL, self._heard)
            self._hears = True
        while True:
            try:
                if await self._is_needed():
                    await self._take_turn()
            except CONNECTION_LOST as error:
                log.warning("assigner_waits", error=type(error).__name__)
            await asyncio.sleep(TURN_SECONDS)

    def _heard(self, _: dict[str, Any]) -> None:
        self._somebody_moved.set()

    async def _is_needed(self) -> bool:
        desk = self._kernel.settings.desk
        if desk.assignment_rules or desk.offline_minutes is not None:
            return True
        return await returning.are_wanted(self._kernel)

    async def _take_turn(self) -> None:
        async with self._kernel.db.session() as uow:
            if await uow.fetch_value("SELECT pg_try_advisory_lock($1)", LOCK):
                self._known_since = None
                await together(self._follow(uow), self._work())

    async def _follow(self, uow: UnitOfWork) -> None:
        """Follow who is there, whatever else takes how long. On the connection that holds the lock: whoever has lost
        it writes nothing any more."""
        while True:
            is_known = await presence.follow(uow, self._kernel)
            if not is_known:
                self._known_since = None
            elif self._known_since is None:
                self._known_since = self._kernel.now()
            self._woken.set()
            await woken(self._somebody_moved, SWEEP_SECONDS)

    async def _work(self) -> None:
        while True:
            await woken(self._woken, SWEEP_SECONDS)
            if self._known_since is not None:
                await self._round(self._known_since)
            await asyncio.sleep(PACE_SECONDS)

    async def _round(self, known_since: datetime) -> None:
        desk = self._kernel.settings.desk
        if desk.offline_minutes is not None:
            gone_since = self._kernel.now() - timedelta(minutes=desk.offline_minutes)
            if known_since <= gone_since:  # who is gone since we were not there to see it may be on the way
                await leaving.take_back(self._kernel, gone_since)
        await returning.give_returned(self._kernel)
        if desk.assignment_rules:
            await assign_waiting(self._kernel)
