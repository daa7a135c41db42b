"""A WebSocket client for tests: it keeps every frame, so that a test can look at all that came."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from elsehu.testing.serving import RunningServer


class SocketClient:
    """A client of `/ws`. `frames` are all that came, `close_code` is there once the socket is closed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._number = 0

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                self.frames.append(orjson.loads(text))
                self._news.set()
        except ConnectionClosed:
            pass
        self.close_code = self.connection.close_code
        self._news.set()

    async def until(self, done: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until `done` answers something (looking after each frame) and return that."""
        async with asyncio.timeout(seconds):
            while not (answer := done()):
                assert self.close_code is None, f"the socket was closed with {self.close_code}"
                await self._news.wait()
                self._news.clear()
        return answer

    async def send(self, event: str, data: Any = None, **more: Any) -> None:
        """Send an event and wait for nothing."""
        await self.connection.send(orjson.dumps({"event": event, "data": data or {}, **more}).decode())

    async def ask(self, event: str, data: Any = None) -> dict[str, Any]:
        """Send an event and return its answer."""
        self._number += 1
        number = self._number
        await self.send(event, data, id=number)
        answer: dict[str, Any] = await self.until(lambda: self.answer_to(number))
        return answer

    def answer_to(self, number: Any) -> dict[str, Any] | None:
        """Return the answer to the event with an id, if it has come."""
        return next((frame for frame in self.frames if "id" in frame and frame["id"] == number), None)

    async def do(self, event: str, data: Any = None) -> dict[str, Any]:
        """Send an event that must be acknowledged; return what came with the acknowledgement."""
        answer = await self.ask(event, data)
        assert answer["event"] == "ack", answer
        done: dict[str, Any] = answer["data"]
        return done

    def all(self, event: str) -> list[dict[str, Any]]:
        """Return all frames of an event."""
        return [frame for frame in self.frames if frame["event"] == event]

    async def next(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`-th event of a name."""
        await self.until(lambda: len(self.all(event)) >= count)
        return self.all(event)[count - 1]

    async def closed(self, seconds: float = 10) -> int:
        """Wait until the socket is closed; return the code."""
        await self.until(lambda: self.close_code is not None, seconds)
        assert self.close_code is not None
        return self.close_code

    @property
    def cursor(self) -> str:
        """The newest cursor, as a frontend would keep it."""
        cursors = [frame.get("cursor") or frame.get("data", {}).get("cursor") for frame in self.frames]
        found: str = [one for one in cursors if one][-1]
        return found

    async def close(self) -> None:
        """Close the socket in order."""
        await self.connection.close()
        await self._reader

    async def cut(self) -> None:
        """Drop the connection without a word."""
        self.connection.transport.abort()
        await self._reader


@asynccontextmanager
async def socket_to(server: RunningServer, token: str) -> AsyncIterator[SocketClient]:
    """Open an authenticated socket."""
    socket = SocketClient(await connect(server.websocket_url, max_size=None))
    try:
        await socket.do("auth", {"token": token})
        yield socket
    finally:
        await socket.close()
