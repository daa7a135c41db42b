"""Clients that do not read are cut off. They cost the others nothing, and the server no memory."""

import asyncio
import gc
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import psutil  # type: ignore[import-untyped]
import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

from elsehu.contracts.user import Role
from elsehu.kernel import Kernel
from elsehu.realtime.hub import Hub
from elsehu.realtime.serving import SocketProtocol
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import Note, People, Person, write

Open = Callable[..., Awaitable[Socket]]
MIB = 1024 * 1024


class DeafClient:
    """A WebSocket client that sends and never reads, with small buffers."""

    def __init__(self, server: RunningServer) -> None:
        self.protocol = ClientProtocol(parse_uri(server.websocket_url))
        self.server = server
        self.socket = sockets.socket()
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        self.socket.setblocking(False)

    async def connect(self, person: Person) -> None:
        loop = asyncio.get_running_loop()
        _, _, port = self.server.url.rpartition(":")
        await loop.sock_connect(self.socket, ("127.0.0.1", int(port)))
        self.protocol.send_request(self.protocol.connect())
        await self.flush()
        self.protocol.receive_data(await loop.sock_recv(self.socket, 4096))
        await self.send("auth", person.auth)

    async def send(self, event: str, data: dict[str, Any]) -> None:
        self.protocol.send_text(orjson.dumps({"event": event, "data": data}))
        await self.flush()

    async def ping(self, count: int) -> None:
        for _ in range(count):
            self.protocol.send_ping(b"x" * 125)
        await self.flush()

    async def flush(self) -> None:
        for piece in self.protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.socket, piece)

    async def read_to_the_end(self) -> list[int]:
        """Read what is left; return the opcodes of the frames, or nothing if the connection was dropped."""
        try:
            while data := await asyncio.get_running_loop().sock_recv(self.socket, 65536):
                self.protocol.receive_data(data)
        except ConnectionError:
            return []
        return [event.opcode for event in self.protocol.events_received() if hasattr(event, "opcode")]


@pytest.fixture
async def deaf(site: RunningServer) -> AsyncIterator[DeafClient]:
    client = DeafClient(site)
    yield client
    client.socket.close()


def hub_of(server: RunningServer) -> Hub:
    return server.kernel.part(Hub)


async def until(done: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


POUR = """
WITH poured AS (
    INSERT INTO notes SELECT gen_random_uuid(), NULL, repeat('x', $2), $3, '{}', '{}' FROM generate_series(1, $1)
    RETURNING id
)
INSERT INTO events (type, subject_id) SELECT 'note:new', id FROM poured
"""


async def pour(kernel: Kernel, count: int, size: int) -> None:
    """Commit notes of `size` letters, a hundred at a time."""
    for _ in range(count // 100):
        async with kernel.db.transaction() as uow:
            await uow.execute(POUR, 100, size, list(Role))
            uow.signal("events")


async def test_who_does_not_read_is_cut_off_and_costs_no_memory(
    site: RunningServer, people: People, open_socket: Open, deaf: DeafClient
) -> None:
    healthy = await open_socket(site, people.add())
    healthy.frames = read = Forgetful()
    await pour(site.kernel, 500, 4000)
    await deaf.connect(people.add())
    await until(lambda: len(hub_of(site).sessions()) == 2)
    before = psutil.Process().memory_info().rss
    for poured in range(1000, 15_500, 500):
        await pour(site.kernel, 500, 4000)
        await healthy.until(lambda poured=poured: read.notes == poured)  # type: ignore[misc]
    grown = psutil.Process().memory_info().rss - before
    await until(lambda: len(hub_of(site).sessions()) == 1)
    assert grown < 25 * MIB  # 60 MB were sent
    await until(lambda: len(protocols()) == 1)


class Forgetful(list[dict[str, Any]]):
    """Counts notes instead of keeping them."""

    def __init__(self) -> None:
        self.notes = 0

    def append(self, frame: dict[str, Any]) -> None:
        self.notes += frame["event"] == "note:new"


def protocols() -> list[SocketProtocol]:
    """Return the server's ends of all open WebSockets."""
    found = [one for one in gc.get_objects() if type(one) is SocketProtocol]
    return [one for one in found if one.transport and not one.disconnected]


async def test_a_connection_that_is_never_read_does_not_linger(
    site: RunningServer, people: People, deaf: DeafClient
) -> None:
    await deaf.connect(people.add())
    await until(lambda: hub_of(site).sessions())
    [protocol] = protocols()
    await pour(site.kernel, 3000, 4000)
    await until(lambda: protocol.disconnected, 15)
    assert Opcode.CLOSE not in await deaf.read_to_the_end()


class TestReadingAgain:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"realtime": {"queue_events": 10}}

    async def test_who_only_lags_is_told_why(self, site: RunningServer, people: People, open_socket: Open) -> None:
        socket = await open_socket(site, people.add())
        await write(site.kernel, *(Note(None, str(number)) for number in range(50)))
        assert await socket.closed() == 4408
        assert socket.connection.close_reason == "too_slow"


class TestBytes:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"realtime": {"queue_bytes": 100_000}}

    async def test_a_few_large_events_are_too_many_too(
        self, site: RunningServer, people: People, open_socket: Open
    ) -> None:
        socket = await open_socket(site, people.add())
        await write(site.kernel, *(Note(None, "x" * 30_000) for number in range(5)))
        assert await socket.closed() == 4408


async def test_pings_of_one_who_does_not_read_are_not_collected(
    site: RunningServer, people: People, deaf: DeafClient
) -> None:
    await deaf.connect(people.add())
    await until(lambda: hub_of(site).sessions())
    [protocol] = protocols()
    async with asyncio.timeout(30):
        while protocol.writable.is_set():
            await deaf.ping(1000)
    for _ in range(30):
        await deaf.ping(1000)
        assert protocol.transport.get_write_buffer_size() < MIB


async def test_a_replay_waits_for_who_reads_slowly(
    site: RunningServer, people: People, open_socket: Open, deaf: DeafClient
) -> None:
    """The replay of 12 MB to somebody who does not read keeps only what one socket may lag."""
    person = people.add()
    socket = await open_socket(site, person)
    cursor = socket.cursor
    await socket.close()
    await pour(site.kernel, 3000, 4000)
    await deaf.connect(person)
    await deaf.send("resume", {"cursor": cursor})
    await until(lambda: any(session.replay for session in hub_of(site).sessions()))
    [session] = hub_of(site).sessions()
    await until(session.outgoing._is_half_full)
    await asyncio.sleep(0.5)
    assert len(session.outgoing._frames) <= 501
    assert session.outgoing.closing is None


class TestDeadPeers:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"realtime": {"ping_interval": 0.3}}

    async def test_who_answers_no_pings_is_dropped(
        self, site: RunningServer, people: People, open_socket: Open, deaf: DeafClient
    ) -> None:
        living = await open_socket(site, people.add())
        await deaf.connect(people.add())
        await until(lambda: len(hub_of(site).sessions()) == 2)
        await until(lambda: len(hub_of(site).sessions()) == 1, 5)
        assert await living.ask("ping")
