"""PostgreSQL and Redis come and go; sockets stay open, and nothing is missing afterwards."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.embedded import EmbeddedServices
from elsehu.events import reading
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import Note, People, write

Open = Callable[..., Awaitable[Socket]]
HEALS_IN_SECONDS = 5


class Writer:
    """Writes on and on, and keeps what was certainly committed."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.written: set[str] = set()
        self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            note = Note(None, str(new_id()))
            try:
                await write(self.kernel, note)
                self.written.add(note.text)
            except CONNECTION_LOST:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.005)

    async def goes_on(self) -> None:
        """Wait until it writes again."""
        before = len(self.written)
        async with asyncio.timeout(20):
            while len(self.written) == before:
                await asyncio.sleep(0.01)

    async def stop(self) -> set[str]:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.written


async def test_postgresql_restarts_under_load(
    site: RunningServer, people: People, open_socket: Open, services: EmbeddedServices
) -> None:
    socket = await open_socket(site, people.add())
    writer = Writer(site.kernel)
    for _ in range(2):
        await writer.goes_on()
        await asyncio.to_thread(services.restart_postgres)
        await writer.goes_on()
        async with asyncio.timeout(HEALS_IN_SECONDS):
            seen = len(socket.texts())
            await socket.until(lambda seen=seen: len(socket.texts()) > seen)  # type: ignore[misc]
    written = await writer.stop()
    await socket.until(lambda: written <= set(socket.texts()))
    assert socket.close_code is None


async def test_redis_restarts_under_load(
    site: RunningServer,
    start: Callable[[], Awaitable[RunningServer]],
    people: People,
    open_socket: Open,
    services: EmbeddedServices,
) -> None:
    """Without hints from the other process, what it commits is found by looking."""
    second = await start()
    socket = await open_socket(second, people.add())
    writer = Writer(site.kernel)
    await writer.goes_on()
    await asyncio.to_thread(services.restart_valkey)
    written = set(await writer.stop())
    await socket.until(lambda: written <= set(socket.texts()), HEALS_IN_SECONDS)
    async with asyncio.timeout(HEALS_IN_SECONDS):
        while not socket.all("typing"):  # hints reach the other process again
            hint = {"conversationId": str(await joined(socket)), "state": "composing"}
            await site.kernel.bus.publish("elsehu.typing", hint)
            await asyncio.sleep(0.05)


async def joined(socket: Socket) -> str:
    room = str(new_id())
    await socket.do("conversation:join", {"conversationId": room})
    return room


async def test_a_replay_waits_for_postgresql(
    site: RunningServer, people: People, open_socket: Open, services: EmbeddedServices
) -> None:
    socket = await open_socket(site, people.add())
    cursor = socket.cursor
    for start in range(0, 2000, 100):
        await write(site.kernel, *(Note(None, f"{number:04}") for number in range(start, start + 100)))
    await socket.close()
    socket = await open_socket(site, people.add())
    restarting = asyncio.create_task(asyncio.to_thread(services.restart_postgres))
    await socket.do("resume", {"cursor": cursor})
    await socket.next("resumed")
    await restarting
    assert list(dict.fromkeys(socket.texts())) == [f"{number:04}" for number in range(2000)]


async def test_who_comes_while_postgresql_is_away_is_told_to_come_again(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    class Away:
        async def authenticate(self, token: str) -> None:
            raise ConnectionRefusedError

    people.authenticate = Away().authenticate  # type: ignore[method-assign, assignment]
    socket = await open_socket(site)
    await socket.send("auth", {"token": "any"})
    assert await socket.closed() == 1013


async def test_another_database_in_its_place_is_noticed(
    site: RunningServer,
    people: People,
    open_socket: Open,
    services: EmbeddedServices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A backup was restored, say: what sockets know means nothing there, so they come anew and load anew."""
    person = people.add()
    socket = await open_socket(site, person)
    cursor = socket.cursor

    async def life_of_another(_: UnitOfWork) -> str:
        return "feedface"

    monkeypatch.setattr(reading, "database_life", life_of_another)
    await asyncio.to_thread(services.restart_postgres)
    assert await socket.closed() == 1013
    socket = await open_socket(site, person)
    await socket.do("resume", {"cursor": cursor})
    assert (await socket.next("resync"))["data"]["reason"] == "other_database"
