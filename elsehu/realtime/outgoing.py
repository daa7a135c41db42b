"""What waits to be written to one socket: bounded, so that a client that does not read is cut off instead of kept."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from elsehu.settings import RealtimeSettings

ABORT = "elsehu.abort"
NOT_DRAINED = 4408
LAST_WORDS_SECONDS = 2.0
ABORT_SECONDS = 5.0
FRAMES_AT_A_TIME = 64


class Outgoing:
    """The queue of one socket and its only writer.

    `put` never waits. When more is queued than the settings allow, the socket is closed with 4408: what it
    has missed can be replayed. `writer` ends when the socket is closed, by us or by the client.
    """

    def __init__(self, websocket: WebSocket, settings: RealtimeSettings) -> None:
        self._websocket = websocket
        self._most_frames = settings.queue_events
        self._most_bytes = settings.queue_bytes
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._space = asyncio.Event()
        self.closing: tuple[int, str] | None = None
        self.writer = asyncio.create_task(self._write())

    def put(self, frame: str) -> None:
        """Queue a frame."""
        if self.closing:
            return
        self._frames.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        if len(self._frames) > self._most_frames or self._bytes > self._most_bytes:
            self.close(NOT_DRAINED, "too_slow", drop=True)

    async def put_patiently(self, frame: str) -> None:
        """Queue a frame as soon as at most half of the space is taken: for what is read as fast as it is sent."""
        while not self.closing and self._is_half_full():
            self._space.clear()
            await self._space.wait()
        self.put(frame)

    def _is_half_full(self) -> bool:
        return len(self._frames) * 2 > self._most_frames or self._bytes * 2 > self._most_bytes

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close the socket once what is queued is written (`drop`: without it), or after a short time anyway."""
        if self.closing:
            return
        self.closing = (code, reason)
        if drop:
            self._frames.clear()
        self._wake.set()
        self._space.set()
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.writer.cancel)

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected, OSError):
            while self._frames or not self.closing:
                await self._wake.wait()
                self._wake.clear()
                await self._write_queued()
            await self._websocket.close(*self.closing)

    async def _write_queued(self) -> None:
        written = 0
        while self._frames:
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            await self._websocket.send({"type": "websocket.send", "text": frame})
            written += 1
            if written % FRAMES_AT_A_TIME == 0:
                await asyncio.sleep(0)
        self._bytes = 0
        self._space.set()

    def end(self) -> None:
        """Stop writing, and drop the connection if the client does not end it: it may have stopped reading."""
        self.writer.cancel()
        abort: Callable[[], None] | None = self._websocket.scope.get("extensions", {}).get(ABORT)
        if abort:
            asyncio.get_running_loop().call_later(ABORT_SECONDS, abort)
