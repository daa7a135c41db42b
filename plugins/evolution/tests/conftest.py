"""What the tests of this plugin share: captures, an instance, and a stand-in server with a context to reach it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from elsehu_evolution.config import Config
from elsehu_evolution.testing import EvolutionStandin, running_standin

from elsehu.plugin import HttpClient, Instance, InstanceStatus, PluginContext
from elsehu.testing import HttpClientSettings, open_http_client

CAPTURES = Path(__file__).parent / "captures"
ID = UUID("01990000-0000-7000-8000-0000000000a1")
OWNER = "5511955550001"
SECRET = "the-webhook-secret-of-this-instance-0001"
KEY = "evo-key"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
URL = "http://127.0.0.1:9/api/webhooks/evolution/01990000-0000-7000-8000-0000000000a1"


def body_of(name: str) -> dict[str, Any]:
    """Return the body of a captured webhook, fresh."""
    body: dict[str, Any] = orjson.loads((CAPTURES / "webhooks" / f"{name}.json").read_bytes())["body"]
    return body


def names() -> list[str]:
    """Return the names of all captured webhooks."""
    return sorted(path.stem for path in (CAPTURES / "webhooks").glob("*.json"))


def make_instance(
    *,
    server: str = "http://127.0.0.1:9",
    key: str = KEY,
    settings: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    credentials: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Instance:
    """Return an instance; `settings`, `state` and `credentials` are laid over the usual ones."""
    usual: dict[str, Any] = {
        "id": ID,
        "name": "Loja Teste",
        "phone": f"+{OWNER}",
        "provider": "evolution",
        "credentials": {"server_url": server, "api_key": key, "instance_name": "wa", **(credentials or {})},
        "settings": {"groups": False, **(settings or {})},
        "state": dict(state or {}),
        "status": InstanceStatus.CONNECTED,
        "webhook_url": URL,
        "webhook_secret": SECRET,
    }
    return Instance(**(usual | changes))


class World:
    """A stand-in server, and a plugin's context that reaches it."""

    def __init__(self, standin: EvolutionStandin, http: HttpClient, folder: Path) -> None:
        self.standin = standin
        self.http = http
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.context = PluginContext(Config(), http, lambda: NOW, self._log, folder)

    def configured(self, **config: Any) -> PluginContext:
        """Return a context with another configuration."""
        return PluginContext(Config(**config), self.http, lambda: NOW, self._log, self.context.data_dir)

    def instance(self, **changes: Any) -> Instance:
        """Return an instance on the stand-in."""
        return make_instance(server=self.standin.url, **changes)

    def requests(self, *paths: str) -> list[Any]:
        """Return the bodies of the requests whose path begins so, oldest first."""
        return [one.body for one in self.standin.requests if one.path.startswith(paths)]

    def paths(self) -> list[str]:
        """Return method and path of every request, oldest first."""
        return [f"{one.method} {one.path}" for one in self.standin.requests]

    def _log(self, event: str, **values: Any) -> None:
        self.logged.append((event, values))


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    """A stand-in server that knows no instance yet."""
    with running_standin(retry_base=0.02, half_made=0.2) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    """The HTTP client that the kernel gives to plugins."""
    async with open_http_client(HttpClientSettings(timeout=5)) as client:
        yield client


@pytest.fixture
def world(standin: EvolutionStandin, http: HttpClient, tmp_path: Path) -> World:
    """The stand-in with the instance `wa`, connected; its webhook is off."""
    standin.add_instance("wa", webhook={"url": URL, "base64": True, "enabled": False, "events": []})
    return World(standin, http, tmp_path)


@pytest.fixture
def empty_world(standin: EvolutionStandin, http: HttpClient, tmp_path: Path) -> World:
    """The stand-in without any instance."""
    return World(standin, http, tmp_path)
