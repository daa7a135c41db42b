"""Fetching what webhooks only referred to. The row is the queue; nothing is fetched inside a transaction."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog

from elsehu.background import woken
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media.attempts import GivenUp, Later, Outcome, ToFetch, attempt
from elsehu.media.objects import StoredMedia, claim
from elsehu.media.retention import Settled
from elsehu.media.service import FETCH_SIGNAL
from elsehu.tasks import together

log = structlog.get_logger("elsehu.media")

CONCURRENCY = 6
PER_INSTANCE = 3
"""Fetches at once in a process, and of those for one number: a number that hangs must not stop the others."""

POLL_SECONDS = 5.0
AWAY_SECONDS = 1.0
LEASE_MARGIN_SECONDS = 60.0
"""How much longer than an attempt a claim lasts: time to store its outcome while PostgreSQL restarts."""


class Fetcher:
    """Fetches pending files, in any number of processes. A killed one's claims run out and are taken over.

    `settled` is called in the transaction that makes a file ready or failed.
    """

    def __init__(self, kernel: Kernel, settled: Settled) -> None:
        self._kernel = kernel
        self._settled = settled
        self._lease = timedelta(seconds=kernel.settings.media.fetch_timeout + LEASE_MARGIN_SECONDS)
        self._claiming = asyncio.Lock()
        self._busy: Counter[UUID | None] = Counter()
        self._wakes = [kernel.signals.event(FETCH_SIGNAL) for _ in range(CONCURRENCY)]

    async def run(self) -> None:
        """Fetch until cancelled."""
        await together(*(self._work(wake) for wake in self._wakes))

    async def _work(self, wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            try:
                fetched = await self._fetch_one()
            except CONNECTION_LOST as error:
                log.warning("fetcher_waits_for_database", error=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            if not fetched:
                await woken(wake, POLL_SECONDS)

    async def _fetch_one(self) -> bool:
        """Fetch one file, if one is due, and say if one was. Raises one of CONNECTION_LOST."""
        file = await self._claim()
        if file is None:
            return False
        try:
            await self._settle(file, await attempt(self._kernel, file))
        except asyncio.CancelledError:
            await self._release(file)
            raise
        finally:
            self._busy[file.instance_id] -= 1
        return True

    async def _claim(self) -> ToFetch | None:
        async with self._claiming:
            full = [instance for instance, busy in self._busy.items() if instance and busy >= PER_INSTANCE]
            row = await self._kernel.db.fetch_row(_CLAIM, self._lease, full)
            if row is None:
                return None
            self._busy[row["instance_id"]] += 1
            return ToFetch.of(row)

    async def _settle(self, file: ToFetch, outcome: Outcome) -> None:
        """Write the outcome; while PostgreSQL is away try again, as long as the claim lasts."""
        clock = asyncio.get_running_loop().time
        claim_ends = clock() + LEASE_MARGIN_SECONDS
        while True:
            try:
                async with self._kernel.db.transaction() as uow:
                    return await self._write(uow, file, outcome)
            except CONNECTION_LOST as error:
                if clock() > claim_ends:
                    raise
                log.warning("media_outcome_waits", media=str(file.id), error=type(error).__name__)
            await asyncio.sleep(AWAY_SECONDS)

    async def _write(self, uow: UnitOfWork, file: ToFetch, outcome: Outcome) -> None:
        """Write the outcome, unless the claim ran out or (its commit's answer was lost) it is written already."""
        match outcome:
            case Later(error, seconds, counts):
                pause = timedelta(seconds=seconds)
                await uow.execute(_LATER, file.id, file.claimed_until, error, pause, counts)
                return
            case GivenUp(error):
                log.warning("media_given_up", media=str(file.id), attempts=file.attempts, error=error)
                is_settled = await uow.fetch_value(_GIVEN_UP, file.id, file.claimed_until, error)
            case StoredMedia():
                is_settled = await _write_ready(uow, file, outcome)
        if is_settled:
            await self._settled(uow, [file.id])

    async def _release(self, file: ToFetch) -> None:
        """Let others have the file at once: this process is stopping."""
        with suppress(*CONNECTION_LOST):
            async with asyncio.timeout(AWAY_SECONDS):
                await self._kernel.db.execute(_LATER, file.id, file.claimed_until, "", timedelta(0), False)


async def _write_ready(uow: UnitOfWork, file: ToFetch, stored: StoredMedia) -> bool:
    written = await uow.fetch_value(
        _READY,
        file.id,
        file.claimed_until,
        stored.mime_type,
        stored.file_name,
        stored.size,
        stored.sha256,
        stored.key,
        stored.storage,
    )
    if written:
        await claim(uow, [stored.key])
    return bool(written)


_CLAIM = """
UPDATE media_files SET attempts = attempts + 1, claimed_until = now() + $1::interval
WHERE id = (
    SELECT id FROM media_files
    WHERE state = 'pending' AND next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
        AND (instance_id IS NULL OR instance_id <> ALL($2::uuid[]))
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, instance_id, mime_type, file_name, size, sha256, reference, is_voice, attempts, created_at, claimed_until
"""

_READY = """
UPDATE media_files SET
    state = 'ready', mime_type = $3, file_name = $4, size = $5, sha256 = $6, storage_key = $7, storage = $8,
    reference = '{}', error = '', claimed_until = NULL, ready_at = now()
WHERE id = $1 AND state = 'pending' AND claimed_until = $2 RETURNING true
"""

_LATER = """
UPDATE media_files SET
    error = $3, next_attempt_at = now() + $4::interval, claimed_until = NULL,
    attempts = attempts - CASE WHEN $5 THEN 0 ELSE 1 END
WHERE id = $1 AND state = 'pending' AND claimed_until = $2
"""

_GIVEN_UP = """
UPDATE media_files SET state = 'failed', error = $3, claimed_until = NULL
WHERE id = $1 AND state = 'pending' AND claimed_until = $2 RETURNING true
"""
