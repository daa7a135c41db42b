"""Web processes with nothing in them but realtime, and sockets to them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from websockets.asyncio.client import connect

from elsehu.embedded import EmbeddedServices
from elsehu.plugins import Plugins
from elsehu.settings import Settings
from elsehu.testing import databases
from elsehu.testing.serving import RunningServer, running_server

from .client import Socket
from .world import TABLE, People, Person, create_app


@pytest.fixture(scope="session")
async def notes_template(services: EmbeddedServices) -> str:
    """The name of a database with the tables of notes, for each test to have a copy of."""
    url = await databases.clone_template(services.database_url)
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    await connection.close()
    return urlsplit(url).path.lstrip("/")


@pytest.fixture
def template(notes_template: str) -> str:
    return notes_template


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def plugins() -> Plugins:
    """The enabled plugins: none, unless a test brings its own."""
    return Plugins([], "none")


@pytest.fixture
async def start(settings: Settings, people: People, plugins: Plugins) -> AsyncIterator[Callable[[], Any]]:
    """Starts another web process on the test's database."""
    async with AsyncExitStack() as stack:

        async def begin() -> RunningServer:
            app = create_app(settings, people, plugins)
            return await stack.enter_async_context(running_server(app, realtime=settings.realtime))

        yield begin


@pytest.fixture
async def site(start: Callable[[], Awaitable[RunningServer]]) -> RunningServer:
    """A web process."""
    return await start()


@pytest.fixture
async def open_socket() -> AsyncIterator[Callable[..., Any]]:
    """Opens sockets: as a person, logged in with the first frame; or as nobody."""
    sockets: list[Socket] = []

    async def open_one(server: RunningServer, person: Person | None = None, **options: Any) -> Socket:
        url = server.websocket_url + options.pop("query", "")
        socket = Socket(await connect(url, max_size=None, **options))
        sockets.append(socket)
        if person:
            await socket.do("auth", person.auth)
        return socket

    yield open_one
    for socket in sockets:
        await socket.close()
