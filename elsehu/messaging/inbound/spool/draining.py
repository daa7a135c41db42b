"""Applying what is in the spool once PostgreSQL is back, in the order in which it came."""

import asyncio
from collections.abc import Sequence

import structlog

from elsehu.background import woken
from elsehu.contracts.errors import NotFound, Unavailable
from elsehu.contracts.webhook import Accepted
from elsehu.db import CONNECTION_LOST
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import DATABASE_AWAY
from elsehu.messaging.inbound.spool.record import Record, record_of
from elsehu.messaging.inbound.spool.segment import Segment
from elsehu.messaging.inbound.spool.spool import Spool
from elsehu.messaging.inbound.taking import apply_accepted
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.spool")

AT_ONCE = 64
PAUSE = 1.0
LOOK_SECONDS = 15.0
"""How often what other processes left behind is looked for."""
TRIES_ALONE = 3


class Drain:
    """Applies the spool's segments, oldest first. What is applied twice, because we died meanwhile, adds nothing."""

    def __init__(self, kernel: Kernel, spool: Spool) -> None:
        self._kernel = kernel
        self._spool = spool

    async def run(self) -> None:
        """Look, apply, and wait for more, until cancelled."""
        try:
            while True:
                await self._empty()
                await woken(self._spool.filled, LOOK_SECONDS)
        finally:
            self._spool.close()

    async def _empty(self) -> None:
        while (segment := await self._spool.next_segment()) is not None:
            self._spool.holds = True
            try:
                await self._apply(segment)
            except (Unavailable, *CONNECTION_LOST):
                self._spool.put_back(segment)
                await asyncio.sleep(PAUSE)
            else:
                await self._spool.forget(segment)

    async def _apply(self, segment: Segment) -> None:
        await self._kernel.db.fetch_value("SELECT 1")
        records = sorted(await self._read(segment), key=lambda one: one.arrived)
        for start in range(0, len(records), AT_ONCE):
            await self._together(records[start : start + AT_ONCE])
        log.info("spool_applied", webhooks=len(records))

    async def _read(self, segment: Segment) -> list[Record]:
        lines = await asyncio.to_thread(segment.lines)
        records = []
        for line in lines:
            try:
                records.append(record_of(line, self._kernel.secrets))
            except WrongSecretKey:
                log.error("spooled_webhook_unreadable", fix="restore the old key in ELSEHU_SECRET_KEY and restart")
                raise Unavailable("wrong_secret_key", "The spool was written with another secret key.") from None
        return records

    async def _together(self, records: Sequence[Record]) -> None:
        """Apply some at once: they are submitted in their order and share a transaction."""
        answers = await asyncio.gather(*(self._one(record) for record in records), return_exceptions=True)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, (NotFound, Unavailable, *CONNECTION_LOST)):
                await self._alone(record)
            elif isinstance(answer, BaseException):
                raise answer

    async def _alone(self, record: Record) -> None:
        """Apply one that failed, again; one that is refused while the database is there would hold up all others.

        Raises Unavailable or one of CONNECTION_LOST if something is away without which none can be applied.
        """
        for _ in range(TRIES_ALONE):
            await asyncio.sleep(PAUSE)
            await self._kernel.db.fetch_value("SELECT 1")
            if await self._is_applied(record):
                return
        await self._kernel.db.fetch_value("SELECT 1")
        await self._spool.set_aside(record)
        fix = "look for the cause in this log; then rename the file *.aside to *.webhooks, and it is tried again"
        log.error("spooled_webhook_set_aside", provider=record.provider, folder=str(self._spool.folder), fix=fix)

    async def _is_applied(self, record: Record) -> bool:
        try:
            await self._one(record)
        except NotFound:
            return False
        except Unavailable as error:
            if error.code != DATABASE_AWAY:
                raise
            return False
        return True

    async def _one(self, record: Record) -> None:
        plugin = self._kernel.plugins.provider(record.provider)
        if plugin is None:
            raise NotFound("provider_not_found", f"No enabled plugin provides {record.provider!r}.")
        directory = self._kernel.part(Directory)
        instances = [one for one in [await directory.get(each) for each in record.instance_ids] if one is not None]
        await apply_accepted(self._kernel, plugin, Accepted(record.payload, instances))
