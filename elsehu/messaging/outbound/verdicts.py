"""Waiting for the provider's verdict on a message just sent: the row tells, a hint makes it quick."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from elsehu.background import woken
from elsehu.kernel import Kernel

FIRST_LOOK_SECONDS = 0.2
LOOK_SECONDS = 0.5

IS_MOVING = """
SELECT m.status = 'sending' OR (
    m.status = 'pending' AND i.is_active AND i.status = 'connected' AND (i.hold_until IS NULL OR i.hold_until <= $2)
    AND NOT EXISTS (SELECT 1 FROM messages held
                    WHERE held.conversation_id = m.conversation_id AND held.status = 'pending'
                      AND (held.lane, held.seq) <= (m.lane, m.seq) AND held.next_attempt_at > $2))
FROM messages m JOIN service_instances i ON i.id = m.instance_id WHERE m.id = $1
"""
"""Not while its number can send nothing, nor while it waits for another attempt: its own, or an earlier message's."""


class Verdicts:
    """Who waits in this process for which message."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waiting: dict[UUID, asyncio.Event] = {}

    def tell(self, message_ids: Iterable[UUID]) -> None:
        """Wake who waits for any of `message_ids`."""
        for message_id in message_ids:
            if message_id in self._waiting:
                self._waiting[message_id].set()

    async def wait(self, message_id: UUID, seconds: float) -> None:
        """Return when there is a verdict on the message or it is known to be held up, at most after `seconds`."""
        told = self._waiting[message_id] = asyncio.Event()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._until_told(message_id, told)
        finally:
            self._waiting.pop(message_id, None)

    async def _until_told(self, message_id: UUID, told: asyncio.Event) -> None:
        """Another process may have sent it, so look at the row now and then."""
        seconds = FIRST_LOOK_SECONDS
        while not await woken(told, seconds):
            if not await self._kernel.db.fetch_value(IS_MOVING, message_id, self._kernel.now()):
                return
            seconds = LOOK_SECONDS
