"""A stand-in for the Graph API, and a plugin's context that reaches it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from elsehu_meta_cloud.config import Config, Settings
from elsehu_meta_cloud.testing import MetaStandin, running_standin

from elsehu.plugin import HttpClient, Instance, InstanceStatus, PluginContext
from elsehu.testing import HttpClientSettings, open_http_client

ID = UUID("01990000-0000-7000-8000-0000000000d1")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
HOOK = f"http://127.0.0.1:9/api/webhooks/meta_cloud/{ID}"


class Memory:
    """A plugin's cache that forgets nothing; `seconds` are what was asked for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.seconds: dict[str, int] = {}

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str, seconds: int) -> None:
        self.values[key], self.seconds[key] = value, seconds

    async def drop(self, key: str) -> None:
        self.values.pop(key, None)


class World:
    """A stand-in, a context that reaches it, and what was logged."""

    def __init__(self, standin: MetaStandin, http: HttpClient, folder: Path) -> None:
        self.standin = standin
        self.http = http
        self.cache = Memory()
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.folder = folder
        self.context = self.configured()

    def configured(self, **config: Any) -> PluginContext:
        """Return a context with another configuration."""
        return PluginContext(Config(**config), self.http, lambda: NOW, self._log, self.folder, self.cache)

    def instance(
        self,
        *,
        credentials: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Instance:
        """Return the stand-in's number as an instance; `credentials` and `settings` are laid over the usual ones."""
        options = self.standin.options
        usual: dict[str, Any] = {
            "id": ID,
            "name": "Loja Teste",
            "phone": f"+{options.phone}",
            "provider": "meta_cloud",
            "credentials": {
                "access_token": options.token,
                "phone_number_id": options.number_id,
                "waba_id": options.waba_id,
                "app_secret": [options.app_secret],
                "verify_token": "the-verify-token",
                "app_id": None,
                **(credentials or {}),
            },
            "settings": {
                **Settings().model_dump(),
                "base_url": self.standin.url,
                "media_hosts": [self.standin.files_url],
                **(settings or {}),
            },
            "state": {},
            "status": InstanceStatus.CONNECTED,
            "webhook_url": HOOK,
            "webhook_secret": "unused-webhook-secret-0001",
        }
        return Instance(**(usual | changes))

    def asked(self, method: str, path: str) -> list[Any]:
        """Return the bodies of the requests to a path, oldest first."""
        return [one.body for one in self.standin.requests if (one.method, one.path) == (method, path)]

    def _log(self, event: str, **values: Any) -> None:
        self.logged.append((event, values))


@pytest.fixture(scope="module")
def running() -> Iterator[MetaStandin]:
    """A stand-in for the tests of a module; take `meta`, which begins anew in each."""
    with running_standin(retry_base=0.02) as standin:
        yield standin


@pytest.fixture
def meta(running: MetaStandin) -> MetaStandin:
    """A stand-in in which nothing has happened yet."""
    running.call("reset")
    return running


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    """The HTTP client that the kernel gives to plugins."""
    async with open_http_client(HttpClientSettings(timeout=5)) as client:
        yield client


@pytest.fixture
def world(meta: MetaStandin, http: HttpClient, tmp_path: Path) -> World:
    """A stand-in and a context that reaches it."""
    return World(meta, http, tmp_path)
