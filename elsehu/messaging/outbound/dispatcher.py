"""The dispatcher: claims what is due, has each message sent, and what became of it recorded.

Any number of processes run one. What may leave is decided by the claim (queue.py), how it leaves by attempts.py, what
an error means by judging.py; here is only the coming and going.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from elsehu import events
from elsehu.background import woken
from elsehu.db import Row
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.outbound import lanes, queue
from elsehu.messaging.outbound.attempts import Attempts, limits_of
from elsehu.messaging.outbound.queue import Limits, Slots
from elsehu.messaging.outbound.recorder import Recorder
from elsehu.messaging.outbound.results import Result
from elsehu.requests import serve_request
from elsehu.secretbox import WrongSecretKey

IDLE_SECONDS = 1.0
SHORTEST_SECONDS = 0.01
BULK_SECONDS = 0.02
"""For how long free places are gathered before lanes fill them, unless half of theirs are free."""

BULK_SHARE = 0.75
"""The share of the messages in flight that lanes may have, however slow their provider is."""

LEASE_SLACK = timedelta(seconds=5)
DRAIN_SECONDS = 10.0


class Dispatcher:
    """Sends what is due, as long as `run` runs."""

    def __init__(self, kernel: Kernel) -> None:
        most = kernel.settings.messaging.concurrency
        self._kernel = kernel
        self._owners = [plugin.info.name for plugin in kernel.plugins.loaded]
        self._wake = kernel.signals.event("outbound")
        self._attempts = Attempts(kernel)
        self._recorder = Recorder(kernel, self._wake)
        self._most = Slots(most, max(1, int(most * BULK_SHARE)))
        self._in_flight: set[asyncio.Task[None]] = set()
        self._bulk_in_flight = 0
        self._bulk_at = 0.0
        self._wants_place = self._wants_bulk_place = False

    async def run(self) -> None:
        """Dispatch until cancelled; then let what is in flight finish, for a while."""
        async with self._kernel.db.reader() as uow:
            await lanes.tell_held(uow, self._owners)
        recorder = asyncio.create_task(self._recorder.run())
        try:
            while True:
                await woken(self._wake, await self._round())
        finally:
            await self._drain()
            recorder.cancel()
            await asyncio.gather(recorder, return_exceptions=True)
            await self._recorder.write_all()

    async def _round(self) -> float:
        """Claim and start what may be sent now. Returns the seconds to wait for a wake-up before the next round."""
        free = self._offer()
        self._wants_place = free.all <= 0
        if self._wants_place:
            return IDLE_SECONDS
        found = await self._look()
        rows, next_at = await self._claim(found, free)
        for row in rows:
            self._start(row)
        self._wants_bulk_place = any(row["has_bulk"] for row in found) and sum(row["lane"] for row in rows) == free.bulk
        if len(rows) == free.all:
            return 0
        pause = self._seconds_until(next_at)
        return min(pause, BULK_SECONDS) if self._wants_bulk_place and self._free.bulk > 0 else pause

    @property
    def _free(self) -> Slots:
        return Slots(self._most.all - len(self._in_flight), self._most.bulk - self._bulk_in_flight)

    def _offer(self) -> Slots:
        """Return the places that may be filled: those of lanes many at a time, which costs little more than few."""
        free = self._free
        are_many = free.bulk >= self._most.bulk / 2
        is_time = asyncio.get_running_loop().time() >= self._bulk_at + BULK_SECONDS
        return free if are_many or is_time else Slots(free.all, 0)

    def _start(self, row: Mapping[str, Any]) -> None:
        task = asyncio.create_task(self._send(row))
        self._in_flight.add(task)
        task.add_done_callback(partial(self._landed, row["lane"]))
        if row["lane"]:
            self._bulk_in_flight += 1
            self._bulk_at = asyncio.get_running_loop().time()

    async def _send(self, row: Mapping[str, Any]) -> None:
        serve_request(row["request_id"])
        verdict = await self._attempts.attempt(row)
        result = Result(row["id"], row["instance_id"], row["claimed_until"], verdict)
        self._recorder.add(result, is_awaited=not row["lane"])

    def _landed(self, lane: int, task: "asyncio.Task[None]") -> None:
        """Look for more where places were what it lacked."""
        self._in_flight.discard(task)
        self._bulk_in_flight -= lane
        free = self._free.bulk
        if self._wants_place or (self._wants_bulk_place and free >= self._most.bulk / 2):
            self._wake.set()
        elif self._wants_bulk_place and lane and free == 1:
            asyncio.get_running_loop().call_later(BULK_SECONDS, self._wake.set)

    async def _look(self) -> Sequence[Row]:
        async with self._kernel.db.reader() as uow:
            return await queue.look(uow, self._kernel.now(), self._owners)

    async def _claim(self, found: Sequence[Row], free: Slots) -> tuple[Sequence[Row], datetime | None]:
        """Claim what may be started. Returns it, and when more may be due."""
        next_at = min((row["next_at"] for row in found if row["next_at"]), default=None)
        ready = [row for row in found if row["has_own"] or (row["has_bulk"] and free.bulk > 0)]
        if not ready:
            return [], next_at
        limits = {row["id"]: await self._limits(row["id"]) for row in ready}
        lease = timedelta(seconds=self._kernel.settings.messaging.send_timeout) + LEASE_SLACK
        async with self._kernel.db.transaction() as uow:
            budgets = await queue.budgets(uow, ready, limits, self._kernel.now())
            rows = await queue.claim(uow, budgets, free, self._kernel.now(), lease, owners=self._owners)
            if any(row["attempts"] > 1 for row in rows):
                uow.signal(events.SIGNAL)
            more_at = await queue.more_at(uow, budgets, rows, self._kernel.now())
        return rows, min(filter(None, (next_at, more_at)), default=None)

    def _seconds_until(self, at: datetime | None) -> float:
        if at is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(SHORTEST_SECONDS, (at - self._kernel.now()).total_seconds()))

    async def _limits(self, instance_id: UUID) -> Limits:
        """Return the limits of an instance.

        One whose secrets cannot be read has none: it must not hold up the others, and its first message will hold it.
        """
        try:
            instance = await self._kernel.part(Directory).get(instance_id)
        except WrongSecretKey:
            return Limits()
        return Limits() if instance is None else limits_of(self._kernel, instance)

    async def _drain(self) -> None:
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
