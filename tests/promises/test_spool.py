"""While PostgreSQL is away webhooks are answered 200, kept on the disk, and applied once and in order afterwards."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from elsehu.embedded import EmbeddedServices
from elsehu.instances.directory import Directory
from elsehu.messaging.inbound.spool.spool import Spool
from elsehu.settings import Settings
from elsehu.testing.client import log_in_as
from elsehu.testing.customers import add_number
from elsehu.testing.serving import RunningServer, running_web

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STORED = "SELECT external_id FROM messages WHERE direction = 'INBOUND' ORDER BY id"
AWAY_SECONDS = 3.0


class Provider:
    """Delivers numbered messages of one customer, one after the other."""

    def __init__(self, server: RunningServer, number: UUID, secret: str) -> None:
        self.taken: list[str] = []
        self.refused: list[int] = []
        self._path = f"/api/webhooks/sandbox/{number}"
        self._http = httpx.AsyncClient(base_url=server.url, headers={"x-elsehu-secret": secret}, timeout=20)

    async def deliver(self, name: str, words: str = "hello") -> int:
        """Deliver one and return the status of the answer."""
        at = (NOON + timedelta(seconds=len(self.taken) // 10)).isoformat()
        event = {"type": "message", "id": name, "from": {"phone": "5511999990000"}, "at": at, "text": words}
        answer = await self._http.post(self._path, json={"events": [event]})
        (self.taken.append(name) if answer.status_code == 200 else self.refused.append(answer.status_code))
        return answer.status_code

    async def deliver_for(self, seconds: float) -> None:
        """Deliver for some time, about a hundred a second."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self.deliver(f"M{len(self.taken):05d}")
            await asyncio.sleep(0.008)


async def provider_of(server: RunningServer) -> Provider:
    async with log_in_as(server, "ADMIN") as admin:
        number = UUID(str(await add_number(admin)))
    instance = await server.kernel.part(Directory).get(number)
    assert instance is not None
    return Provider(server, number, instance.webhook_secret)


@pytest.fixture
async def provider(server: RunningServer) -> Provider:
    return await provider_of(server)


async def stored(server: RunningServer) -> list[str]:
    return [row["external_id"] for row in await server.kernel.db.fetch(STORED)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.05)


async def test_all_answered_200_and_all_there_once_in_order(
    server: RunningServer, provider: Provider, services: EmbeddedServices
) -> None:
    await provider.deliver_for(0.3)
    stopped = services.postgres_stopped()
    await asyncio.to_thread(stopped.__enter__)
    await provider.deliver_for(AWAY_SECONDS)
    await asyncio.gather(asyncio.to_thread(stopped.__exit__, None, None, None), provider.deliver_for(1))
    spool = server.kernel.part(Spool)
    await until(lambda: not spool.holds)
    await provider.deliver_for(0.3)
    assert provider.refused == []
    assert len(provider.taken) > 100
    assert await stored(server) == provider.taken
    assert list(spool.folder.iterdir()) == []


async def test_what_a_killed_process_left_behind_is_applied_by_the_next(
    settings: Settings, services: EmbeddedServices
) -> None:
    async with running_web(settings) as first:
        provider = await provider_of(first)
        await provider.deliver("before")
        with services.postgres_stopped():
            await asyncio.gather(*(provider.deliver(f"M{number}") for number in range(20)))
            folder = first.kernel.part(Spool).folder
            kept = [path.read_bytes() for path in folder.iterdir()]
            await dies(first)
    assert kept
    for number, content in enumerate(kept):
        (folder / f"{number}.webhooks").write_bytes(content + b"half a line")
    async with running_web(settings) as second:
        await until(lambda: not list(folder.iterdir()))
        assert sorted(await stored(second)) == sorted(provider.taken)


async def dies(server: RunningServer) -> None:
    """Leave nothing that this process could still apply."""
    for path in server.kernel.part(Spool).folder.iterdir():
        path.unlink()


async def test_nothing_readable_lies_on_the_disk(
    server: RunningServer, provider: Provider, services: EmbeddedServices
) -> None:
    await provider.deliver("first")
    with services.postgres_stopped():
        assert await provider.deliver("second", "a very private word") == 200
        (file,) = server.kernel.part(Spool).folder.iterdir()
        assert b"private" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


async def test_strangers_fill_no_disk(server: RunningServer, provider: Provider, services: EmbeddedServices) -> None:
    await provider.deliver("first")
    provider._http.headers["x-elsehu-secret"] = "wrong"
    with services.postgres_stopped():
        assert await provider.deliver("second") == 401
        assert not server.kernel.part(Spool).folder.exists()


class TestBounds:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"webhooks": {"spool_max_bytes": 3000}}

    async def test_full_is_503_and_what_was_taken_is_there(
        self, server: RunningServer, provider: Provider, services: EmbeddedServices
    ) -> None:
        await provider.deliver("first")
        with services.postgres_stopped():
            for number in range(30):
                await provider.deliver(f"M{number:02d}")
        assert set(provider.refused) == {503}
        assert 2 < len(provider.taken) < 20
        await until(lambda: not server.kernel.part(Spool).holds)
        assert await stored(server) == provider.taken

    async def test_a_full_disk_is_503(
        self, server: RunningServer, provider: Provider, services: EmbeddedServices
    ) -> None:
        await provider.deliver("first")
        folder: Path = server.kernel.part(Spool).folder
        folder.write_text("no folder can be made here")
        with services.postgres_stopped():
            assert await provider.deliver("second") == 503
        folder.unlink()
        await until(lambda: not server.kernel.part(Spool).holds)
        assert await provider.deliver("second") == 200
        assert await stored(server) == ["first", "second"]


class TestWithoutSpool:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"webhooks": {"spool_max_bytes": 0}}

    async def test_503_as_long_as_the_database_is_away(
        self, server: RunningServer, provider: Provider, services: EmbeddedServices
    ) -> None:
        await provider.deliver("first")
        with services.postgres_stopped():
            assert await provider.deliver("second") == 503
