"""A web process of this slice and identity alone, with providers that the test steers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from elsehu.http.middleware import middleware_of
from elsehu.http.operations import routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.identity.authentication import provide_identity
from elsehu.identity.routes import OPERATIONS as IDENTITY
from elsehu.instances.directory import Directory
from elsehu.instances.routes import OPERATIONS
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer, running_server
from elsehu.testing.steered import Steered, found

CREDENTIALS = {"serverUrl": "http://evo.test:8080", "apiKey": "very-secret-key"}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["pairable", "plain", "storage_local"]},
        "public_url": "https://desk.example.com/",
        "instances": {"connect_timeout": 1.0, "status_seconds": 60.0},
    }


@pytest.fixture
def steered() -> Steered:
    return Steered()


@pytest.fixture
def plugins(settings: Settings, steered: Steered) -> Plugins:
    return load_plugins(settings, found(steered))


@asynccontextmanager
async def kernel_with_directory(settings: Settings, plugins: Plugins) -> AsyncIterator[Kernel]:
    async with open_kernel(settings, plugins) as opened:
        opened.provide(Directory, Directory(opened))
        yield opened


@pytest.fixture
async def kernel(settings: Settings, plugins: Plugins) -> AsyncIterator[Kernel]:
    async with kernel_with_directory(settings, plugins) as opened:
        yield opened


@pytest.fixture
async def server(kernel: Kernel) -> AsyncIterator[RunningServer]:
    app = Starlette(
        routes=list(routes_of([*IDENTITY, *OPERATIONS])),
        middleware=middleware_of(kernel.settings),
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    app.state.kernel = kernel
    provide_identity(kernel)
    async with running_server(app) as running:
        yield running


@pytest.fixture
async def admin(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "ADMIN") as client:
        yield client


@pytest.fixture
def add(admin: ApiClient) -> Callable[..., Any]:
    """Add a number through the API and return its answer's JSON."""

    async def added(name: str = "Shop", **fields: Any) -> dict[str, Any]:
        body = {"name": name, "phone": "+5511999990000", "provider": "pairable", "credentials": CREDENTIALS}
        answer = await admin.post("/api/service-instances", {**body, **fields})
        assert answer.status_code == 201, answer.text
        body_of_it: dict[str, Any] = answer.json()
        return body_of_it

    return added
