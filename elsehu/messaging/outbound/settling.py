"""Settling what is open: sends whose dispatcher died, echoes that wait, messages of unknown outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from elsehu.contracts.inbound import Item, MessageArrived
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.kernel import Kernel
from elsehu.messaging.inbound import attachments, waiting
from elsehu.messaging.inbound.attachments import Files
from elsehu.messaging.inbound.batch import Arriving, Batch
from elsehu.messaging.inbound.history import History
from elsehu.messaging.inbound.locks import lock, message_key
from elsehu.messaging.inbound.retrying import apply_with_files, retrying
from elsehu.tasks import together

log = structlog.get_logger("elsehu.settling")

ROUND_SECONDS = 2.0
ECHO_PATIENCE = timedelta(seconds=5)
ASK_AGAIN = timedelta(seconds=20)
ASK_FOR = timedelta(minutes=30)
WAITING_DAYS = timedelta(days=3)

EXPIRE = """
WITH late AS (
    SELECT id FROM messages WHERE status = 'sending' AND claimed_until < $1 FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE messages m SET status = 'unconfirmed', status_rank = 2,
        error_code = 'interrupted', error_detail = 'Elsehu stopped while this message was being sent.'
    FROM late WHERE m.id = late.id RETURNING m.id, m.conversation_id
), told AS (
    INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM expired
)
SELECT count(*) FROM expired
"""
"""`claimed_until` stays: should its dispatcher only have slept, its result still counts."""

WAITED_ECHOES = """
SELECT w.instance_id, w.external_id FROM waiting_updates w
WHERE w.created_at < $1 AND w.event->>'type' = 'MessageArrived' AND NOT starts_with(w.external_id, '~')
ORDER BY w.id LIMIT 100
"""
UNCONFIRMED = """
SELECT instance_id, min(created_at) AS since FROM messages
WHERE status = 'unconfirmed' AND created_at > $1 GROUP BY instance_id
"""


class Settler:
    """Looks every two seconds for what is open, as long as `run` runs. Any number of processes may."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._asked: dict[UUID, datetime] = {}

    async def run(self) -> None:
        """Settle until cancelled; a provider that is slow to tell its history holds up nothing else."""
        await together(self._repeat(self._settle), self._repeat(self._ask_providers))

    async def _repeat(self, step: Callable[[datetime], Awaitable[None]]) -> None:
        while True:
            try:
                await step(self._kernel.now())
            except CONNECTION_LOST as error:
                log.info("settling_waits_for_database", error=type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)

    async def _settle(self, now: datetime) -> None:
        async with self._kernel.db.transaction() as uow:
            await settle_interrupted(uow, now)
            await waiting.purge(uow, now - WAITING_DAYS)
        await self._settle_echoes(now)

    async def _settle_echoes(self, now: datetime) -> None:
        for row in await self._kernel.db.fetch(WAITED_ECHOES, now - ECHO_PATIENCE):
            await self._settle_echo(row["instance_id"], row["external_id"])

    async def _settle_echo(self, instance_id: UUID, external_id: str) -> None:
        """Apply an echo anew: by now it matches a message of ours, or is one of its own, or it waits on."""

        async def write(uow: UnitOfWork, more_locks: frozenset[int]) -> None:
            await lock(uow, [message_key(instance_id, external_id)])
            early = await waiting.take(uow, [(instance_id, external_id)])
            echoes = [Item(instance, event) for instance, event in early if isinstance(event, MessageArrived)]
            others = [(instance, event) for instance, event in early if not isinstance(event, MessageArrived)]
            files = await attachments.prepare(self._kernel, echoes)
            batch = Batch([_arriving(echo, files) for echo in echoes], others)
            await apply_with_files(uow, self._kernel, batch, echoes, files, more_locks=more_locks)

        await retrying(self._kernel, write)

    async def _ask_providers(self, now: datetime) -> None:
        for row in await self._kernel.db.fetch(UNCONFIRMED, now - ASK_FOR):
            asked = self._asked.get(row["instance_id"])
            if asked is None or now - asked >= ASK_AGAIN:
                self._asked[row["instance_id"]] = now
                await self._kernel.part(History).ask(row["instance_id"], row["since"] - timedelta(minutes=1), now)


async def settle_interrupted(uow: UnitOfWork, now: datetime) -> int:
    """Make sends whose dispatcher died with them `unconfirmed`, and count them."""
    expired: int = await uow.fetch_value(EXPIRE, now)
    if expired:
        log.warning("sends_without_outcome", messages=expired)
        uow.signal("events")
        uow.signal("outbound")
    return expired


def _arriving(echo: Item, files: Files) -> Arriving:
    assert isinstance(echo.event, MessageArrived)
    file = files.get(id(echo.event))
    return Arriving(echo.instance_id, echo.event, file.id if file else None)
