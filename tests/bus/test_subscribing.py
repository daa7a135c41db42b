"""Subscribing while the connection is only being made: nothing that was subscribed to is lost."""

import asyncio
from typing import Any

import pytest
from redis import asyncio as redis

from elsehu.bus import HealingRedisBackend
from elsehu.embedded import EmbeddedServices


async def test_no_channel_is_lost_while_the_first_connection_is_slow(
    services: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    connect = redis.connection.ConnectionPool.get_connection

    async def slowly(pool: Any, *arguments: Any, **more: Any) -> Any:
        opened.append("one")
        await asyncio.sleep(0.05 * len(opened))
        return await connect(pool, *arguments, **more)

    backend = HealingRedisBackend(services.redis_url)
    await backend.connect()
    with monkeypatch.context() as patched:
        patched.setattr(redis.connection.ConnectionPool, "get_connection", slowly)
        await backend.subscribe("first")
        await backend.subscribe("second")
        await asyncio.sleep(0.2)
    for channel in ("first", "second"):
        await backend.publish(channel, "{}")
    async with asyncio.timeout(5):
        assert {(await backend.next_published()).channel for _ in range(2)} == {"first", "second"}
    await backend.disconnect()
