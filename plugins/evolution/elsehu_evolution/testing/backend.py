"""The server as its routes see it: one object, handed to every function that needs it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import refusal
from .faults import Faults
from .options import Options
from .webhooks import Webhooks
from .world import Instance, Json, Step, World

Answer = tuple[int, Any]


class Backend:
    """One Evolution API server with the world around it. Everything in it runs in one event loop."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.world = World(options.log_limit)
        self.faults = Faults(options.seed)
        self.webhooks = Webhooks(self.world, self.faults, options)
        self.url = ""
        self.up = False
        self.outage: Callable[[float], Awaitable[None]] = _no_server
        self._chores: set[asyncio.Task[Any]] = set()

    def fire(self, instance: Instance, event: str, data: Any, **beside: Any) -> asyncio.Task[None] | None:
        """Start delivering an event to the instance's webhook; see ``Webhooks.fire``."""
        return self.webhooks.fire(instance, event, data, **beside)

    def later(self, seconds: float, act: Callable[..., Any], *args: Any) -> None:
        """Call ``act(*args)`` in ``seconds``."""
        asyncio.get_running_loop().call_later(seconds, act, *args)

    def run(self, chore: Awaitable[Any]) -> None:
        """Run something beside the requests."""
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def arrive(self, instance: Instance, step: Step) -> None:
        """Let WhatsApp tell the instance something, in order.

        It waits while the server is down, the connection is away, or an awaited webhook holds the instance
        up; an instance that no phone is linked to never learns of it.
        """
        if instance.linked:
            instance.backlog.append(step)
            self.pump(instance)

    def pump(self, instance: Instance) -> None:
        """Work off what waits for an instance, as far as it can be."""
        while instance.backlog and self.up and instance.state == "open" and not instance.held:
            awaited = instance.backlog.popleft()()
            if awaited is not None:
                instance.held = True
                self.run(self._hold(instance, awaited))

    async def _hold(self, instance: Instance, awaited: Awaitable[Any]) -> None:
        try:
            await asyncio.wait([asyncio.ensure_future(awaited)])
        finally:
            instance.held = False
            self.pump(instance)


async def _no_server(seconds: float) -> None:
    raise RuntimeError("nothing serves this backend")


@dataclass(slots=True)
class Call:
    """One authenticated request of one instance's route."""

    backend: Backend
    body: Json
    query: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    target: Instance | None = None

    @property
    def instance(self) -> Instance:
        """The instance that the path names."""
        if self.target is None:
            raise refusal(404, ["Not Found"])
        return self.target


Handler = Callable[[Call], Awaitable[Answer]]
Routes = dict[tuple[str, str], Handler]
"""By method and ``area/action``."""
