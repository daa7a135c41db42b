"""Servers beside the one of the fixture `server`: for what several processes, or other operations, do."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from elsehu.app import create_app
from elsehu.http.operations import Operation, routes_of
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.serving import RunningServer, running_server


@asynccontextmanager
async def serving(settings: Settings, operations: Sequence[Operation] = ()) -> AsyncIterator[RunningServer]:
    app = create_app(settings, load_plugins(settings))
    app.router.routes[:0] = routes_of(operations)
    async with running_server(app) as running:
        yield running


@pytest.fixture
def start() -> Callable[..., AbstractAsyncContextManager[RunningServer]]:
    """Start one more server: `async with start(settings, operations) as second`."""
    return serving
