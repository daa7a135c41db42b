"""The runner as a job: short slices that ask for the next one as long as something runs, and a clock that revives it.

Each slice names the chain that it belongs to; whoever is asked for from outside begins a new one, which ends the old.
So there is one chain however often the clock, or a person, asks, and if it is forgotten for a moment there are two.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import Job, Kernel, Unavailable, enqueue, new_id
from elsehu_campaigns.config import NAME
from elsehu_campaigns.running import Runner

SLICE_SECONDS = 8.0
PAUSE_SECONDS = 0.25
CHAIN = "chain"
CHAIN_SECONDS = 300


async def run(kernel: Kernel, arguments: Mapping[str, Any]) -> None:
    """Serve all campaigns for some seconds, and ask for the next slice if any goes on."""
    chain = await _chain(kernel, arguments.get(CHAIN))
    if chain is not None and await _serve(kernel):
        await enqueue(kernel, RUN, {CHAIN: chain})


async def _chain(kernel: Kernel, own: str | None) -> str | None:
    """Return the chain to go on with: `own`, unless a newer one has begun; a new one where there is none."""
    cache = kernel.plugins.context(NAME).cache
    if own is not None and await cache.get(CHAIN) not in (None, own):
        return None
    chain = own or str(new_id())
    await cache.put(CHAIN, chain, CHAIN_SECONDS)
    return chain


async def _serve(kernel: Kernel) -> bool:
    """Serve until the slice is over or nothing goes on. Whether anything does."""
    runner = Runner(kernel)
    end = time.monotonic() + SLICE_SECONDS
    while time.monotonic() < end:
        served = await runner.round()
        if not any(one.is_active for one in served):
            return False
        if not any(one.is_busy for one in served):
            await asyncio.sleep(PAUSE_SECONDS)
    return True


RUN = Job("campaigns.run", run, cron="* * * * *", queue="low")
"""In the low queue: in the other, what asks for itself again at once would let nothing of the low one be done."""
JOBS: Sequence[Job] = (RUN,)


async def wake(kernel: Kernel, *more: Job) -> None:
    """Have campaigns served now, and `more` jobs run. Where that cannot be asked for, the clock asks in a minute."""
    try:
        for job in (RUN, *more):
            await enqueue(kernel, job)
    except Unavailable as error:
        kernel.plugins.context(NAME).log("campaigns_wait_for_the_clock", code=error.code)
