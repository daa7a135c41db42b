"""Fixtures: `services` → `database_url` → `settings` → `kernel` / `server` → `admin`, `operator`.

Everything is real: PostgreSQL and Valkey run once a session in a temporary directory, each test has a
database of its own, and servers answer on loopback.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from elsehu.embedded import EmbeddedServices
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import Plugins, installed, load_plugins
from elsehu.settings import Settings
from elsehu.testing import databases
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.cluster import run_services
from elsehu.testing.database_pool import DatabasePool
from elsehu.testing.installation import SECRET_KEY, make_settings  # noqa: F401
from elsehu.testing.serving import RunningServer, listen_on_loopback, running_server


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServices]:
    """PostgreSQL and Valkey, with a migrated template database."""
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    with run_services(tmp_path_factory.getbasetemp().parent / "services" if is_one_of_many else None) as running:
        yield running


@pytest.fixture(scope="session")
def database_pool(services: EmbeddedServices) -> DatabasePool:
    """The databases that the tests use one after the other."""
    return DatabasePool(services.database_url)


@pytest.fixture
def template() -> str:
    """The template of the test's database: override this fixture for further tables."""
    return databases.TEMPLATE


@pytest.fixture
async def database_url(services: EmbeddedServices, database_pool: DatabasePool, template: str) -> AsyncIterator[str]:
    """A migrated database with nothing in it; Valkey is emptied too."""
    url = await database_pool.lend(template)
    async with Redis.from_url(services.redis_url) as redis:
        await redis.flushall()
    yield url
    await database_pool.take_back(url)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """What a test module changes in the settings: override this fixture."""
    return {}


@pytest.fixture
def settings(
    services: EmbeddedServices, database_url: str, tmp_path: Path, settings_overrides: dict[str, Any]
) -> Settings:
    """The settings of the test's own installation: quick passwords, short waits."""
    return make_settings(services, database_url, tmp_path, settings_overrides)


@pytest.fixture(scope="session")
def installed_plugins() -> Mapping[str, list[EntryPoint]]:
    """The plugins that are installed: looking for them takes as long as loading them."""
    return installed()


@pytest.fixture
def plugins(settings: Settings, installed_plugins: Mapping[str, list[EntryPoint]]) -> Plugins:
    """The enabled plugins."""
    return load_plugins(settings, installed_plugins)


@pytest.fixture
async def kernel(settings: Settings, plugins: Plugins) -> AsyncIterator[Kernel]:
    """A kernel without a server."""
    async with open_kernel(settings, plugins) as opened:
        yield opened


@pytest.fixture
async def server(settings: Settings, installed_plugins: Mapping[str, list[EntryPoint]]) -> AsyncIterator[RunningServer]:
    """The whole of Elsehu's web process, serving on loopback; its own address is its public URL."""
    from elsehu.app import create_app

    listening = listen_on_loopback()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    own = settings.model_copy(update={"public_url": url})
    async with running_server(
        create_app(own, load_plugins(own, installed_plugins)), listening, own.realtime
    ) as running:
        yield running


@pytest.fixture
async def admin(server: RunningServer) -> AsyncIterator[ApiClient]:
    """An API client logged in as an ADMIN."""
    async with log_in_as(server, "ADMIN") as client:
        yield client


@pytest.fixture
async def operator(server: RunningServer) -> AsyncIterator[ApiClient]:
    """An API client logged in as an OPERATOR."""
    async with log_in_as(server, "OPERATOR") as client:
        yield client


def pytest_configure(config: pytest.Config) -> None:
    """Keep the caller's own environment out of the tests."""
    for name in list(os.environ):
        if name.startswith("ELSEHU_") or name in {"DATABASE_URL", "REDIS_URL"}:
            del os.environ[name]
