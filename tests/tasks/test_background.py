"""Background tasks run until they are told to stop, and then stop."""

import asyncio
from itertools import count

from elsehu.background import running


async def test_one_that_breaks_is_started_anew() -> None:
    starts = count(1)
    third = asyncio.Event()

    async def breaks() -> None:
        if next(starts) == 3:
            third.set()
            await asyncio.Event().wait()
        raise ZeroDivisionError

    async with running({"breaks": breaks}) as background, asyncio.timeout(10):
        await third.wait()
        assert background.is_running("breaks")


async def test_one_that_breaks_while_it_is_cancelled_stops_at_once() -> None:
    starts = count()
    started = asyncio.Event()

    async def loses_its_connection() -> None:
        next(starts)
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError from None

    async with asyncio.timeout(5):
        async with running({"loses": loses_its_connection}):
            await started.wait()
    assert next(starts) == 1
