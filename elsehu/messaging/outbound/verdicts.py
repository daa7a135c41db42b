"""Waiting for the provider's verdict on a message just sent: the row tells, a hint makes it quick."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from elsehu.background import woken
from elsehu.kernel import Kernel

LOOK_SECONDS = 0.5
PENDING = "SELECT status IN ('pending', 'sending') AND attempts < 2 FROM messages WHERE id = $1"


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
        """Return when there is a verdict on the message, or after `seconds`."""
        told = self._waiting[message_id] = asyncio.Event()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._until_told(message_id, told)
        finally:
            self._waiting.pop(message_id, None)

    async def _until_told(self, message_id: UUID, told: asyncio.Event) -> None:
        """Another process may have sent it, so look at the row now and then."""
        while True:
            if await woken(told, LOOK_SECONDS):
                return
            if not await self._kernel.db.fetch_value(PENDING, message_id):
                return
