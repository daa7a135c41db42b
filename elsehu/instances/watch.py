"""Keeping numbers connected: every active instance is connected at start and looked at now and then.

Any number of processes may watch at once. What is due stands in the row (`next_check_at`, `hold_until`); who
looks holds the instance's lock meanwhile.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from elsehu.contracts.errors import NotFound, OutcomeUnknown, ProviderError, Retryable
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus
from elsehu.db import CONNECTION_LOST, Row
from elsehu.instances.asking import apply, ask, report_of
from elsehu.instances.directory import SIGNAL, Directory
from elsehu.instances.locks import Locks
from elsehu.instances.service import OUTBOUND
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.instances")

OnConnected = Callable[[UUID], Awaitable[None]]

AT_ONCE = 32
SHORTEST_WAIT = 1.0
SECOND_LOOK = 2.0
SOONER = 6
LOST = (InstanceStatus.NEW, InstanceStatus.DISCONNECTED)

DUE_AT = """
CASE WHEN hold_until IS NOT NULL AND status = 'connected' THEN least(hold_until, coalesce(next_check_at, now()))
     ELSE coalesce(hold_until, next_check_at, now()) END
"""
"""One that cannot work is left alone until its hold ends; one that only must slow down is looked at as ever."""
IS_DUE = f"({DUE_AT}) <= now()"
TO_LOOK_AT = f"SELECT id FROM service_instances WHERE is_active AND ($1 OR {IS_DUE}) ORDER BY id"  # noqa: S608
NEXT = f"""
SELECT extract(epoch FROM min({DUE_AT}) - now())::float8 FROM service_instances WHERE is_active
"""  # noqa: S608
CLAIM = f"""
WITH due AS (
    SELECT id, hold_until FROM service_instances
    WHERE id = $1 AND is_active AND ($3 OR {IS_DUE}) FOR NO KEY UPDATE
)
UPDATE service_instances AS it
SET next_check_at = now() + make_interval(secs => $2),
    hold_until = CASE WHEN due.hold_until > now() THEN due.hold_until END,
    hold_reason = CASE WHEN due.hold_until > now() THEN it.hold_reason ELSE '' END
FROM due WHERE it.id = due.id
RETURNING it.keep_connected, due.hold_until <= now() AS hold_ended
"""  # noqa: S608
SOON = "UPDATE service_instances SET next_check_at = now() + make_interval(secs => $2) WHERE id = $1"
AS_IF_JUST_CONNECTED = "UPDATE service_instances SET just_connected = true WHERE id = $1"
JUST_CONNECTED = """
UPDATE service_instances SET just_connected = false WHERE just_connected AND is_active RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An instance to look at, and how."""

    instance_id: UUID
    keep_connected: bool
    is_first: bool


class Watch:
    """Connects, checks and reconnects instances, and calls `on_connected` for those that became connected.

    A listener is called with the instance's id, once for each time, in one of the watching processes; and for
    every connected instance when this process starts, for it may have missed something while it was down.
    """

    def __init__(self, kernel: Kernel, on_connected: Sequence[OnConnected] = ()) -> None:
        self._kernel = kernel
        self._on_connected = on_connected
        self._changed = kernel.signals.event(SIGNAL)
        self._is_first = True
        self._telling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch for ever. Raises one of CONNECTION_LOST while PostgreSQL is away: run it again."""
        try:
            while True:
                self._changed.clear()
                await self._round()
                await self._tell_connected()
                await self._wait()
        except asyncio.CancelledError:
            for task in self._telling:
                task.cancel()
            raise

    async def _round(self) -> None:
        """Look at all that is due, in the first round at all that is active."""
        is_first, self._is_first = self._is_first, False
        rows = await self._kernel.db.fetch(TO_LOOK_AT, is_first)
        if not rows:
            return
        places = asyncio.Semaphore(AT_ONCE)
        async with self._kernel.db.session() as connection:
            locks = Locks(connection)
            async with asyncio.TaskGroup() as looks:
                for row in rows:
                    looks.create_task(self._look(locks, places, row["id"], is_first))

    async def _look(self, locks: Locks, places: asyncio.Semaphore, instance_id: UUID, is_first: bool) -> None:
        """Look at one instance, if nobody else does. What goes wrong with one does not touch the others."""
        try:
            async with places, locks.attempt(instance_id) as is_mine:
                claimed = await self._claim(instance_id, is_first) if is_mine else None
                if claimed:
                    await self._check(claimed)
        except CONNECTION_LOST as error:
            log.warning("instance_check_waits", instance=str(instance_id), error=type(error).__name__)
        except NotFound:
            log.info("instance_gone", instance=str(instance_id))
        except Exception:
            log.exception("instance_check_broke", instance=str(instance_id))

    async def _claim(self, instance_id: UUID, is_first: bool) -> Claimed | None:
        """Put off the next look, end a hold that is over, and say what to do; None if it is not due any more."""
        async with self._kernel.db.transaction() as uow:
            row: Row | None = await uow.fetch_row(CLAIM, instance_id, self._seconds(), is_first)
            if row is None:
                return None
            if row["hold_ended"]:
                uow.signal(OUTBOUND)
        return Claimed(instance_id, row["keep_connected"], is_first)

    async def _check(self, claimed: Claimed) -> None:
        try:
            instance = await self._kernel.part(Directory).load(claimed.instance_id)
            report = await self._report(claimed, instance)
        except WrongSecretKey:
            report = InstanceReport(
                InstanceStatus.BLOCKED,
                "The stored credentials cannot be read with the configured secret key. Restore the key that they "
                "were stored with, or enter them anew.",
            )
        await apply(self._kernel, claimed.instance_id, report)
        if report.status in LOST and claimed.keep_connected:
            await self._kernel.db.execute(SOON, claimed.instance_id, self._seconds() / SOONER)
        if claimed.is_first and report.status is InstanceStatus.CONNECTED:
            await self._kernel.db.execute(AS_IF_JUST_CONNECTED, claimed.instance_id)
        await self._tell_connected()

    async def _report(self, claimed: Claimed, instance: Instance) -> InstanceReport:
        """Return how the number stands, after having tried to connect it if it should be and is not."""
        if claimed.keep_connected and (claimed.is_first or instance.status in LOST):
            return await self._connect(instance)
        try:
            report = await self._status(instance)
        except ProviderError as error:
            return report_of(error)
        if report.status in LOST and claimed.keep_connected:
            return await self._connect(instance)
        return report

    async def _connect(self, instance: Instance) -> InstanceReport:
        try:
            return await ask(self._kernel, instance, self._kernel.plugins.connect)
        except ProviderError as error:
            return report_of(error)

    async def _status(self, instance: Instance) -> InstanceReport:
        """Ask the provider; where a working number's provider does not answer, ask again before believing it."""
        try:
            return await ask(self._kernel, instance, self._kernel.plugins.status)
        except (Retryable, OutcomeUnknown):
            if instance.status is not InstanceStatus.CONNECTED:
                raise
        await asyncio.sleep(min(SECOND_LOOK, self._kernel.settings.instances.status_seconds))
        return await ask(self._kernel, instance, self._kernel.plugins.status)

    async def _tell_connected(self) -> None:
        """Call the listeners for what became connected, without waiting for them."""
        for row in await self._kernel.db.fetch(JUST_CONNECTED):
            task = asyncio.create_task(self._call_listeners(row["id"]))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _call_listeners(self, instance_id: UUID) -> None:
        for listener in self._on_connected:
            try:
                await listener(instance_id)
            except Exception:
                log.exception("on_connected_failed", instance=str(instance_id))

    async def _wait(self) -> None:
        """Wait until something is due or has changed."""
        longest = self._kernel.settings.instances.status_seconds
        until_next = await self._kernel.db.fetch_value(NEXT)
        seconds = longest if until_next is None else min(max(until_next, SHORTEST_WAIT), longest)
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _seconds(self) -> float:
        """Return the time to the next look, spread so that many instances do not come all at once."""
        return self._kernel.settings.instances.status_seconds * random.uniform(0.8, 1.2)  # noqa: S311
