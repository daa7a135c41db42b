"""A server of the identity slice alone, on real PostgreSQL and Valkey."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette

from elsehu.embedded import EmbeddedServices, embedded_services
from elsehu.http.operations import Operation, routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.identity.authentication import provide_identity
from elsehu.identity.routes import OPERATIONS
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing import databases
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer, running_server


def make_template(url: str) -> None:
    asyncio.run(databases._execute(url, "CREATE DATABASE elsehu_template"))
    code = "import asyncio, sys; from elsehu.migrating import migrate; asyncio.run(migrate(sys.argv[1]))"
    template = databases.with_database(url, "elsehu_template")
    subprocess.run([sys.executable, "-c", code, template], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def services() -> Iterator[EmbeddedServices]:
    with (
        tempfile.TemporaryDirectory(prefix="elsehu-tests-") as folder,
        embedded_services(Path(folder) / "var") as running,
    ):
        make_template(running.database_url)
        yield running


@pytest.fixture
async def database_url(services: EmbeddedServices) -> AsyncIterator[str]:
    url = await databases.clone_template(services.database_url)
    async with Redis.from_url(services.redis_url) as redis:
        await redis.flushall()
    yield url
    await databases.drop(url)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(
    services: EmbeddedServices, database_url: str, tmp_path: Path, settings_overrides: dict[str, Any]
) -> Settings:
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": services.redis_url,
        "secret_key": "a-secret-key-for-tests-only",
        "data_dir": tmp_path,
        "security": {"argon2_memory_kib": 1024, "argon2_time": 1},
        "plugins": {"enabled": ["storage_local"]},
    }
    for name, value in settings_overrides.items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return Settings(**values)


@asynccontextmanager
async def serving(settings: Settings, operations: tuple[Operation, ...] = ()) -> AsyncIterator[RunningServer]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_kernel(settings, load_plugins(settings)) as kernel:
            app.state.kernel = kernel
            task = asyncio.create_task(provide_identity(kernel).run())
            yield
            task.cancel()

    app = Starlette(
        routes=list(routes_of([*OPERATIONS, *operations])),
        lifespan=lifespan,
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    async with running_server(app) as running:
        yield running


@pytest.fixture
def start() -> Callable[..., AbstractAsyncContextManager[RunningServer]]:
    return serving


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[RunningServer]:
    async with serving(settings) as running:
        yield running


@pytest.fixture
async def kernel(server: RunningServer) -> Kernel:
    return server.kernel


@pytest.fixture
async def admin(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "ADMIN") as client:
        yield client


@pytest.fixture
async def operator(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "OPERATOR") as client:
        yield client
