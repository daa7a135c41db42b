"""A server with a provider that has templates and one that has none, and a number of each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from elsehu.ids import new_token
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer, listen_on_loopback, running_server

from .provider import Account, Pigeon, Post, entries

Template = dict[str, Any]
Make = Callable[..., Awaitable[Template]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["post", "pigeon", "storage_local"]}}


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def pigeon() -> Pigeon:
    return Pigeon()


@pytest.fixture
def account(post: Post) -> Account:
    return post.account


@pytest.fixture
async def server(settings: Settings, post: Post, pigeon: Pigeon) -> AsyncIterator[RunningServer]:
    from elsehu.app import create_app

    listening = listen_on_loopback()
    own = settings.model_copy(update={"public_url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
    plugins = load_plugins(own, entries(post, pigeon))
    async with running_server(create_app(own, plugins), listening, own.realtime) as running:
        yield running


@pytest.fixture
async def supervisor(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "SUPERVISOR") as client:
        yield client


async def add_number(admin: ApiClient, provider: str) -> str:
    """Add a number of `provider`; return its id."""
    body = {"name": f"{provider} {new_token(4)}", "phone": "+5511955550000", "provider": provider, "credentials": {}}
    answer = await admin.post("/api/service-instances", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def number(admin: ApiClient) -> str:
    """A number whose provider has templates."""
    return await add_number(admin, "post")


@pytest.fixture
async def plain_number(admin: ApiClient) -> str:
    """A number whose provider has none."""
    return await add_number(admin, "pigeon")


BASIC: Template = {"name": "order_ready", "language": "pt_BR", "category": "UTILITY", "body": "Your order is ready."}


@pytest.fixture
def make(supervisor: ApiClient) -> Make:
    """Return a function that makes a template over the API."""

    async def make(**values: Any) -> Template:
        answer = await supervisor.post("/api/templates", {**BASIC, **values})
        assert answer.status_code == 201, answer.text
        made: Template = answer.json()
        return made

    return make


async def listed(client: ApiClient, **query: Any) -> list[Template]:
    """Return all listed templates, from pages of two."""
    found: list[Template] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = await client.get("/api/templates", params={"limit": 2, **query, **more})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def sync(client: ApiClient, number: str) -> dict[str, int]:
    """Sync a number's templates; return the counts."""
    answer = await client.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert answer.status_code == 200, answer.text
    counts: dict[str, int] = answer.json()
    return counts


async def told(server: RunningServer, template_id: str) -> int:
    """Return how many events told of a template."""
    sql = "SELECT count(*) FROM events WHERE type = 'template:updated' AND subject_id = $1"
    return int(await server.kernel.db.fetch_value(sql, UUID(template_id)))
