"""A WebSocket client (RFC 6455) that costs little, for servers that neither compress nor fragment."""

import asyncio
import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

TEXT, PING, PONG = 1, 9, 10
NO_MASK = bytes(4)


@dataclass(frozen=True, slots=True)
class Client:
    """One socket: where it is opened, the frame that it sends, and how many frames it then waits for."""

    path: str
    greeting: str | None = None
    answers: int = 0


class Socket(asyncio.Protocol):
    """One client. `heard` is called with each text frame and the time of the machine's monotonic clock."""

    def __init__(self, client: Client, heard: Callable[[bytes, float], None]) -> None:
        self._client = client
        self._heard = heard
        self._data = b""
        self._is_open = False
        self._to_wait_for = client.answers
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {self._client.path} HTTP/1.1", "host: 127.0.0.1", "upgrade: websocket", "connection: Upgrade"]
        lines += ["sec-websocket-version: 13", f"sec-websocket-key: {key}"]
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        """Take what came, frame by frame."""
        now = time.monotonic()
        self._data += data
        if not self._is_open:
            self._open()
        while self._is_open and (frame := self._frame()) is not None:
            self._take(*frame, now)

    def _open(self) -> None:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.ready.set_exception(RuntimeError(head.decode()))
            return
        self._data, self._is_open = rest, True
        if self._client.greeting:
            self._send(TEXT, self._client.greeting.encode())
        self._maybe_ready()

    def _maybe_ready(self) -> None:
        if self._to_wait_for <= 0 and not self.ready.done():
            self.ready.set_result(None)

    def _frame(self) -> tuple[int, bytes] | None:
        """Take one whole frame off what came."""
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        self._data = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == PING:
            self._send(PONG, payload)
        elif kind == TEXT:
            self._to_wait_for -= 1
            self._maybe_ready()
            self._heard(payload, now)

    def _send(self, kind: int, payload: bytes) -> None:
        long = len(payload) >= 126
        size = bytes([0x80 | 126]) + len(payload).to_bytes(2, "big") if long else bytes([0x80 | len(payload)])
        self._transport.write(bytes([0x80 | kind]) + size + NO_MASK + payload)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell that this socket cannot become ready any more."""
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("closed before it was ready"))
