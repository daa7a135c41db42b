"""The media slice alone, served over real HTTP, with a provider whose files the tests decide."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel, open_kernel
from elsehu.media.fetcher import Fetcher
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings
from elsehu.testing.serving import RunningServer, running_server

from .provider import FileProvider, entries
from .rows import add_instance
from .web import media_app


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["files", "storage_local"]},
        "media": {"max_bytes": 4 * 1024 * 1024, "fetch_timeout": 5.0, "fetch_attempts": 3},
        "server": {"max_upload_bytes": 2 * 1024 * 1024},
    }


@pytest.fixture
def provider() -> FileProvider:
    return FileProvider()


@pytest.fixture
def plugins(settings: Settings, provider: FileProvider) -> Plugins:
    return load_plugins(settings, entries(provider))


@pytest.fixture
async def kernel(settings: Settings, plugins: Plugins) -> AsyncIterator[Kernel]:
    async with open_kernel(settings, plugins) as opened:
        opened.provide(Directory, Directory(opened))
        yield opened


@pytest.fixture
async def instance_id(kernel: Kernel) -> UUID:
    return await add_instance(kernel)


@pytest.fixture
async def callers(kernel: Kernel) -> dict[str, Caller]:
    """`ana` and `bia` (operators), `sup` (supervisor), `bot` and `bot2` (API keys of operators)."""
    callers = {}
    for name, role in (("ana", Role.OPERATOR), ("bia", Role.OPERATOR), ("sup", Role.SUPERVISOR)):
        callers[name] = Caller(role, new_id(), name)
        await kernel.db.execute(
            "INSERT INTO users (id, name, email, password_hash, role) VALUES ($1, $2, $2, '', $3)",
            callers[name].user_id,
            name,
            role,
        )
    for name in ("bot", "bot2"):
        callers[name] = Caller(Role.OPERATOR, None, name, api_key_id=new_id())
        await kernel.db.execute(
            "INSERT INTO api_keys (id, name, key_hash, hint, role) VALUES ($1, $2, $3, '', 'OPERATOR')",
            callers[name].api_key_id,
            name,
            name.encode(),
        )
    return callers


@pytest.fixture
async def server(kernel: Kernel, callers: dict[str, Caller]) -> AsyncIterator[RunningServer]:
    async with running_server(media_app(kernel, callers)) as running:
        yield running


@pytest.fixture
async def api(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=server.url, headers={"authorization": "Bearer ana"}, follow_redirects=False, timeout=30
    ) as client:
        yield client


@dataclass
class Settlements:
    """What the fetcher told of, in its own transactions."""

    ids: list[UUID] = field(default_factory=list)

    async def __call__(self, uow: UnitOfWork, media_ids: Any) -> None:
        assert uow.connection.is_in_transaction()
        self.ids += media_ids


@pytest.fixture
def settlements() -> Settlements:
    return Settlements()


@pytest.fixture
async def fetcher(kernel: Kernel, settlements: Settlements) -> AsyncIterator[Fetcher]:
    """A fetcher that runs."""
    one = Fetcher(kernel, settlements)
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
