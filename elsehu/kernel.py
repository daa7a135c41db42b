"""One container for what a process works with. Built only by `open_kernel`, passed on, never imported."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from redis.asyncio import Redis

from elsehu.bus import Bus, open_bus
from elsehu.cache import PluginCache
from elsehu.clock import utc_now
from elsehu.contracts.errors import ConfigError
from elsehu.contracts.http import HttpClient
from elsehu.db import Database, open_database
from elsehu.http_client import open_http_client
from elsehu.metrics import Metrics, metrics_of
from elsehu.plugins import Plugins
from elsehu.secretbox import SecretBox
from elsehu.settings import Settings
from elsehu.signals import Signals, open_signals

Part = TypeVar("Part")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Kernel:
    """What everything works with. `parts` are the long-lived objects that slices add at start (`provide`)."""

    settings: Settings
    plugins: Plugins
    db: Database
    redis: Redis
    bus: Bus
    signals: Signals
    http: HttpClient
    secrets: SecretBox
    metrics: Metrics = field(default_factory=Metrics)
    now: Callable[[], datetime] = utc_now
    parts: dict[type, Any] = field(default_factory=dict)

    def provide(self, kind: type[Part], part: Part) -> Part:
        """Add the process's one `kind`."""
        self.parts[kind] = part
        return part

    def part(self, kind: type[Part]) -> Part:
        """Return the process's one `kind`. Raises KeyError if no slice provided it."""
        return cast(Part, self.parts[kind])


class Runner(Protocol):
    """What commands are given to work with (`ctx.obj`): it opens a kernel, runs, and closes it."""

    def run(self, work: Callable[[Kernel], Awaitable[Answer]]) -> Answer:
        """Run `work` on a kernel and return its answer."""
        ...


@asynccontextmanager
async def open_kernel(settings: Settings, plugins: Plugins) -> AsyncIterator[Kernel]:
    """Open everything that a process works with, and close it in the end.

    Raises ConfigError where a URL or key is missing, and one of `db.CONNECTION_LOST` where PostgreSQL is
    away.
    """
    database_url, redis_url = _urls(settings)
    async with (
        open_database(database_url, settings.database) as db,
        open_bus(redis_url) as bus,
        open_signals(bus) as signals,
        open_http_client(settings.http_client) as http,
        Redis.from_url(redis_url) as redis,
    ):
        plugins.bind(http, lambda name: PluginCache(redis, name))
        db.emit = signals.emit
        metrics = metrics_of(wanted=settings.server.metrics)
        plugins.failed = metrics.plugin_failed
        yield Kernel(settings, plugins, db, redis, bus, signals, http, SecretBox(settings.secret_keys), metrics)


def _urls(settings: Settings) -> tuple[str, str]:
    if settings.database_url is None or settings.redis_url is None:
        raise ConfigError(
            "services_missing",
            "DATABASE_URL and REDIS_URL are not both set. Set both, or run `elsehu serve`, which brings its own.",
        )
    if not settings.secret_keys:
        raise ConfigError(
            "secret_key_missing",
            "ELSEHU_SECRET_KEY is not set. Set it (or ELSEHU_SECRET_KEY_FILE) to a long random text and keep it safe.",
        )
    return settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
