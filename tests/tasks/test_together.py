"""Loops that run side by side end together, even those that swallow a cancellation."""

import asyncio

import pytest

from elsehu.tasks import together


async def endless() -> None:
    await asyncio.Event().wait()


async def test_a_loop_that_swallows_one_cancellation_ends_all_the_same() -> None:
    swallowed = []

    async def deaf() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append("once")

    task = asyncio.create_task(together(deaf(), endless()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert swallowed == ["once"]


async def test_one_that_breaks_ends_the_others_and_is_heard_of() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    async with asyncio.timeout(10):
        with pytest.raises(ValueError, match="broken"):
            await together(endless(), broken())
