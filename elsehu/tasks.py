"""Ending tasks for good."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any


def is_ending() -> bool:
    """Whether the task that asks was cancelled, even where it or something that it called swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(tasks: Collection["asyncio.Task[Any]"], patience: float = 1.0) -> None:
    """Cancel `tasks` and wait until all have ended; one that goes on after `patience` seconds is cancelled again.

    Once is not always enough: a cancellation that comes just as an `asyncio.wait_for` is done is swallowed
    (before Python 3.12), and libraries that we use, the Redis client for one, call it.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=patience)
    await asyncio.gather(*tasks, return_exceptions=True)


async def together(*loops: Coroutine[Any, Any, None]) -> None:
    """Run endless `loops` side by side until one raises or this is cancelled; then end the others for good.

    Not a TaskGroup: that cancels its tasks once, and waits for ever for one that swallowed it (see `end`).
    """
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await end(tasks)
