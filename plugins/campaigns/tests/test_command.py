"""`elsehu campaign …`, on a kernel that is there already."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from click.testing import CliRunner, Result
from elsehu_campaigns.cli import campaign_group

from elsehu.plugin import Kernel

from .test_steering import never
from .world import World, people


class OnKernel:
    """Runs a command's work in the loop of a test, as `ctx.obj` does in a loop of its own."""

    def __init__(self, kernel: Kernel, loop: asyncio.AbstractEventLoop) -> None:
        self._kernel = kernel
        self._loop = loop

    def run(self, work: Callable[[Kernel], Awaitable[Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(self._awaited(work), self._loop).result(30)

    async def _awaited(self, work: Callable[[Kernel], Awaitable[Any]]) -> Any:
        return await work(self._kernel)


async def command(world: World, *arguments: str) -> Result:
    runner = OnKernel(world.kernel, asyncio.get_running_loop())
    return await asyncio.to_thread(CliRunner().invoke, campaign_group, arguments, obj=runner)


async def test_a_campaign_from_the_command_line(world: World) -> None:
    campaign = await world.started(await world.number(), people=[*people(3), "nobody"], window={"days": never()})
    await world.when(campaign, lambda shown: shown["holdReason"])
    listed = await command(world, "list", "--state", "running")
    assert campaign in listed.output.replace("\n", "") or "Black" in listed.output
    shown = await command(world, "show", campaign)
    assert "Black Friday is running." in shown.output
    assert "Outside of its sending window" in shown.output
    assert "3  planned" in shown.output
    assert "1  skipped: invalid_number" in shown.output
    assert "is paused" in (await command(world, "pause", campaign)).output
    again = await command(world, "pause", campaign)
    assert (again.exit_code, "…/resume" in again.output) == (1, True)
    assert "is running" in (await command(world, "resume", campaign)).output
    assert "is cancelled" in (await command(world, "cancel", campaign)).output
    assert (await world.show(campaign))["stats"]["cancelled"] == 3


async def test_one_that_is_not_there(world: World) -> None:
    answer = await command(world, "show", str(uuid4()))
    assert (answer.exit_code, "There is no campaign" in answer.output) == (1, True)
