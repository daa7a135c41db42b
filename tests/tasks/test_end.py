"""Ending tasks for good."""

import asyncio

from elsehu.tasks import end


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    swallowed: list[int] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)
                if len(swallowed) == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end([task], patience=0.01)
    assert task.cancelled()


async def test_what_ended_or_failed_by_itself_is_left_alone() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    await end([task])
    await end([])


async def test_a_task_has_its_time_to_clean_up() -> None:
    cleaned: list[int] = []

    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(1)

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    await end([task], patience=5)
    assert cleaned == [1]
