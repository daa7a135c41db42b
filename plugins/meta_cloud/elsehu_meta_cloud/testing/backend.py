"""The stand-in as its routes see it: one object, handed to every function that needs it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .faults import Faults
from .limits import Limits
from .options import Options
from .webhooks import Webhooks
from .world import World


class Backend:
    """The Graph API with the world around it. Everything in it runs in one event loop."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.world = World(options)
        self.faults = Faults()
        self.limits = Limits()
        self.webhooks = Webhooks(self.world, options)
        self.url = ""
        self.files_url = ""
        self._chores: set[asyncio.Task[Any]] = set()

    def reset(self) -> None:
        """Forget all that happened, and every fault and limit."""
        self.world = self.webhooks.world = World(self.options)
        self.faults.clear()
        self.limits.set(pair=None, throughput=None)

    def run(self, chore: Awaitable[Any]) -> "asyncio.Task[Any]":
        """Run something beside the requests."""
        task: asyncio.Task[Any] = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task

    async def close(self) -> None:
        """End what still runs."""
        for task in self._chores:
            task.cancel()
        await self.webhooks.close()


@dataclass(slots=True)
class Call:
    """One authenticated request: the parts of its path after the version, and what came with it."""

    backend: Backend
    parts: list[str]
    query: dict[str, str]
    body: dict[str, Any]
    token: str = ""
    files: dict[str, Any] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The world."""
        return self.backend.world


Handler = Callable[[Call], Awaitable[Any]]
