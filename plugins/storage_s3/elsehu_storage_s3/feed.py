"""Feeding an upload that pulls what it sends in a future of its own.

obstore aborts a multipart upload when what it pulls from raises, so that no parts stay in the bucket. When it is
cancelled it does not. So it is never cancelled: its feed breaks off.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

BREAK_SECONDS = 10.0
"""How long a broken upload is given to have its parts forgotten."""

Send = Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, None]]


class BrokenOff(Exception):
    """What was to be sent ended before it was whole."""


class Feed:
    """Hands blocks to who iterates over it, each when the one before was taken."""

    def __init__(self) -> None:
        self._blocks: asyncio.Queue[bytes | BrokenOff | None] = asyncio.Queue(maxsize=1)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (block := await self._blocks.get()) is not None:
            if isinstance(block, BrokenOff):
                raise block
            yield block

    async def give(self, block: bytes | None) -> None:
        """Hand over a block, or None for the end."""
        await self._blocks.put(block)

    def break_off(self) -> None:
        """Raise BrokenOff where the blocks are taken."""
        while not self._blocks.empty():
            self._blocks.get_nowait()
        self._blocks.put_nowait(BrokenOff())


async def fed(send: Send, blocks: AsyncIterator[bytes]) -> None:
    """Have `send` take all `blocks`. Raises what either raises; unless that is `send`, its feed breaks off."""
    feed = Feed()
    sending = asyncio.create_task(send(aiter(feed)))
    sending.add_done_callback(_looked_at)
    try:
        async for block in blocks:
            await _unless_failed(sending, feed.give(block))
        await _unless_failed(sending, feed.give(None))
        await asyncio.shield(sending)
    finally:
        if not sending.done():
            feed.break_off()
            await asyncio.wait({sending}, timeout=BREAK_SECONDS)
            sending.cancel()


async def _unless_failed(sending: asyncio.Task[None], giving: Coroutine[Any, Any, None]) -> None:
    """Wait until a block was given. Raises what `sending` raised if it ended before."""
    given = asyncio.create_task(giving)
    try:
        await asyncio.wait({sending, given}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        given.cancel()
    if sending.done():
        sending.result()


def _looked_at(sending: asyncio.Task[None]) -> None:
    """Keep asyncio from complaining of an error that nobody waits for: the one that broke the feed is told."""
    if not sending.cancelled():
        sending.exception()
