"""Opening a house: services are there, a database, a stand-in and a server are made for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from elsehu.plugins import load_plugins
from elsehu.testing import databases
from elsehu.testing.client import log_in_as
from elsehu.testing.conformance.declaration import ProviderConformance
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.wire import Wire
from elsehu.testing.databases import Services
from elsehu.testing.installation import make_settings
from elsehu.testing.serving import RunningServer, listen_on_loopback, running_server


@asynccontextmanager
async def open_house(
    name: str, declared: ProviderConformance, services: Services, folder: Path, overrides: Mapping[str, Any]
) -> AsyncIterator[House]:
    """Run a stand-in and a server, add the number. Raises Failed, and what the stand-in raises."""
    database_url = await databases.clone_template(services.database_url)
    try:
        async with Redis.from_url(services.redis_url) as redis:
            await redis.flushall()
        listening = listen_on_loopback()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = make_settings(services, database_url, folder, {**overrides, "public_url": url})
        plugins = load_plugins(settings)
        await asyncio.to_thread(databases.migrate_plugins, database_url, settings, plugins)
        from elsehu.app import create_app

        async with (
            declared.standin() as standin,
            running_server(create_app(settings, plugins), listening) as server,
            log_in_as(server, "ADMIN") as api,
            httpx.AsyncClient(base_url=server.url, timeout=30) as outside,
        ):
            house = House(declared, server, api, standin, _wired(server, name), outside)
            await house.add_number()
            yield house
    finally:
        await databases.drop(database_url)


def _wired(server: RunningServer, name: str) -> Wire:
    """Put a Wire between the plugin under test and the network."""
    plugin = next(one for one in server.kernel.plugins.loaded if one.info.name == name)
    wire = Wire(plugin.context.http)
    plugin.context = replace(plugin.context, http=wire)
    return wire
