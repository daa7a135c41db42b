"""Listening on the bus: everybody who listens hears, however many begin together."""

import asyncio
from typing import Any

from elsehu.bus import open_bus
from elsehu.embedded import EmbeddedServices


async def test_all_who_begin_together_on_a_channel_hear(services: EmbeddedServices) -> None:
    heard: list[dict[str, Any]] = []
    everybody_heard = asyncio.Event()

    def listener(hint: dict[str, Any]) -> None:
        heard.append(hint)
        if len(heard) == 5:
            everybody_heard.set()

    async with open_bus(services.redis_url) as here, open_bus(services.redis_url) as there:
        await asyncio.gather(*(here.listen("elsehu.test", listener) for _ in range(5)))
        await there.publish("elsehu.test", {"x": 1})
        async with asyncio.timeout(5):
            await everybody_heard.wait()
    assert heard == [{"x": 1}] * 5
