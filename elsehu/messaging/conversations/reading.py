"""Reading a conversation: nothing is unread any more, and the customer is shown so where the provider can."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from elsehu import events
from elsehu.contracts.errors import ElsehuError
from elsehu.contracts.outbound import Quoted
from elsehu.db import CONNECTION_LOST, Row, UnitOfWork
from elsehu.events import Change
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey
from elsehu.tasks import together

log = structlog.get_logger("elsehu.reading")

MOST_MESSAGES = 50
MOST_WAITING = 1000
WORKERS = 4

READ = """
WITH before AS (SELECT id, instance_id, contact_id, unread_count FROM conversations WHERE id = $1 FOR UPDATE)
UPDATE conversations v SET unread_count = 0 FROM before WHERE v.id = before.id AND before.unread_count > 0
RETURNING before.instance_id, before.contact_id, before.unread_count
"""
UNREAD = """
SELECT external_id, text FROM messages
WHERE conversation_id = $1 AND direction = 'INBOUND' AND external_id IS NOT NULL
ORDER BY at DESC, seq DESC LIMIT $2
"""
ADDRESS = """
SELECT address FROM contact_identities WHERE contact_id = $1 ORDER BY kind = 'phone' DESC, last_seen_at DESC LIMIT 1
"""
"""A phone where there is one: Evolution passes over read receipts for LIDs without a word (reference, section 5)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Messages of one number that were read, oldest first."""

    instance_id: UUID
    messages: Sequence[Quoted]


class ReadReceipts:
    """Tells providers what was read, in the background and at best: a receipt that fails is logged and gone."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: asyncio.Queue[Receipt] = asyncio.Queue(MOST_WAITING)

    def tell(self, receipt: Receipt) -> None:
        """Have the provider told of `receipt`; when too many wait, it is dropped."""
        try:
            self._queue.put_nowait(receipt)
        except asyncio.QueueFull:
            log.warning("read_receipt_dropped", instance=str(receipt.instance_id))

    async def run(self) -> None:
        """Tell until cancelled."""
        await together(*(self._work() for _ in range(WORKERS)))

    async def _work(self) -> None:
        while True:
            await self._tell(await self._queue.get())

    async def _tell(self, receipt: Receipt) -> None:
        try:
            instance = await self._kernel.part(Directory).get(receipt.instance_id)
            if instance is not None and instance.is_active and self._kernel.plugins.can(instance, "mark_read"):
                await self._kernel.plugins.mark_read(instance, receipt.messages)
        except (ElsehuError, WrongSecretKey, *CONNECTION_LOST) as error:
            log.info("read_receipt_failed", instance=str(receipt.instance_id), error=type(error).__name__)
        except Exception:  # a plugin's own bug
            log.exception("read_receipt_broke", instance=str(receipt.instance_id))


async def mark_read(kernel: Kernel, conversation_id: UUID) -> None:
    """Note that a conversation was read, tell of it, and have the provider told after the commit."""
    async with kernel.db.transaction() as uow:
        row = await uow.fetch_row(READ, conversation_id)
        if row is None:
            return
        await events.record(uow, [Change("conversation:updated", conversation_id, conversation_id)])
        receipt = await _receipt(uow, conversation_id, row)

        async def tell() -> None:
            kernel.part(ReadReceipts).tell(receipt)

        if receipt.messages:
            uow.after_commit(tell)


async def _receipt(uow: UnitOfWork, conversation_id: UUID, row: Row) -> Receipt:
    unread = await uow.fetch(UNREAD, conversation_id, min(row["unread_count"], MOST_MESSAGES))
    chat: str | None = await uow.fetch_value(ADDRESS, row["contact_id"])
    messages = [Quoted(one["external_id"], False, one["text"], chat) for one in reversed(unread)]
    return Receipt(row["instance_id"], messages)
