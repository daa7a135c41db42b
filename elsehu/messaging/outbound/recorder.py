"""Writing down what became of sends: those that end while the last ones are being written, together."""

import asyncio
from collections.abc import Sequence

import structlog

from elsehu.background import woken
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.instances import service as instances
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.batch import Batch
from elsehu.messaging.inbound.retrying import commit_batch
from elsehu.messaging.outbound import results
from elsehu.messaging.outbound.results import Result
from elsehu.messaging.outbound.verdicts import Verdicts

log = structlog.get_logger("elsehu.dispatcher")

AGAIN_SECONDS = 0.2
BULK_SECONDS = 0.01
"""For how long results are gathered for which no person waits."""


class Recorder:
    """The results of one process that are still to be written, and who is told once they are (`recorded`)."""

    def __init__(self, kernel: Kernel, recorded: asyncio.Event) -> None:
        self._kernel = kernel
        self._recorded = recorded
        self._finished: list[Result] = []
        self._has_finished = asyncio.Event()
        self._is_awaited = asyncio.Event()

    def add(self, result: Result, *, is_awaited: bool) -> None:
        """Have a result written: at once if somebody may be waiting for it."""
        self._finished.append(result)
        self._has_finished.set()
        if is_awaited:
            self._is_awaited.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._has_finished.wait()
            await woken(self._is_awaited, BULK_SECONDS)
            self._has_finished.clear()
            await self._write_finished()

    async def write_all(self) -> None:
        """Write down all that is finished, however long the database is away: it did happen."""
        while self._finished:
            await self._write_finished()

    async def _write_finished(self) -> None:
        """Write down what is finished by now. It stays in the list until then, so that being cancelled loses none."""
        finished = list(self._finished)
        while True:
            try:
                await self._write(finished)
                break
            except CONNECTION_LOST as error:
                log.warning("results_wait_for_database", results=len(finished), error=type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:
                log.exception("results_recorded_one_by_one", results=len(finished))
                await self._write_one_by_one(finished)
                break
        del self._finished[: len(finished)]

    async def _write_one_by_one(self, finished: Sequence[Result]) -> None:
        """Keep one result that cannot be written from sinking the others; its claim runs out as `unconfirmed`."""
        for result in finished:
            try:
                await self._write([result])
            except CONNECTION_LOST:
                self._finished.append(result)
            except Exception:
                log.exception("result_cannot_be_recorded", message=str(result.message_id))

    async def _write(self, finished: Sequence[Result]) -> None:
        async with self._kernel.db.transaction() as uow:
            await results.record(uow, finished, self._kernel.now())
            await _hold(uow, finished)
        self._recorded.set()
        self._kernel.part(Verdicts).tell(one.message_id for one in finished)
        links = results.learned(finished)
        if links:
            await commit_batch(self._kernel, lambda: Batch(links=links))


async def _hold(uow: UnitOfWork, finished: Sequence[Result]) -> None:
    holds = [(one.instance_id, one.verdict) for one in finished if one.verdict.hold_until]
    strictest = dict(sorted(holds, key=lambda one: (one[0], one[1].instance_status is not None, one[1].hold_until)))
    for instance_id, verdict in strictest.items():
        assert verdict.hold_until is not None
        await instances.hold(uow, instance_id, verdict.hold_until, verdict.detail or "", verdict.instance_status)
