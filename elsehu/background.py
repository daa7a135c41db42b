"""Background tasks of a process: each runs until the process stops, and is started anew if it breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from elsehu.db import CONNECTION_LOST
from elsehu.tasks import end, is_ending

log = structlog.get_logger("elsehu.background")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
LONGEST_GOODBYE = 30.0
"""Seconds that a cancelled task may take to bring to an end what it has begun."""
Run = Callable[[], Awaitable[None]]


async def woken(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event` at most `seconds`, clear it, and return whether it was set.

    Not `asyncio.wait_for`: in Python 3.11 that swallows a cancellation which comes together with the event, and
    a task that was told to stop goes on.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True


class Background:
    """What runs in the background of this process."""

    def __init__(self) -> None:
        self._running: set[str] = set()

    def is_running(self, name: str) -> bool:
        """Whether the task `name` runs now: it is there, and not waiting to be started anew."""
        return name in self._running

    async def keep_running(self, name: str, run: Run) -> None:
        """Run `run` for ever: where it raises, log it, pause (longer each time in a row), and start it anew.

        What it raises while it is cancelled, because its connection broke over that, is its end.
        """
        pause = FIRST_PAUSE
        while True:
            started = asyncio.get_running_loop().time()
            self._running.add(name)
            try:
                await run()
                log.error("background_task_returned", task=name)
            except CONNECTION_LOST as error:
                log.warning("background_task_waits", task=name, error=type(error).__name__)
            except Exception:
                log.exception("background_task_broke", task=name)
            finally:
                self._running.discard(name)
            if is_ending():
                return
            lived = asyncio.get_running_loop().time() - started
            pause = FIRST_PAUSE if lived > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)


@asynccontextmanager
async def running(tasks: Mapping[str, Run]) -> AsyncIterator[Background]:
    """Keep `tasks` running while the block runs; then cancel them and wait for their end."""
    background = Background()
    started = [asyncio.create_task(background.keep_running(name, run), name=name) for name, run in tasks.items()]
    try:
        yield background
    finally:
        await end(started, patience=LONGEST_GOODBYE)
