"""How a fault shows itself to the caller."""

import asyncio
from contextlib import suppress

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .errors import refusal
from .faults import Fault

TRANSPORT = "standin.transport"
BROKEN = b'{"key":{"remoteJid":"5511'


class NoAnswer(Response):
    """Closes the connection without a byte, at once or when the caller has gone or ``seconds`` are over."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then cut the connection; ASGI demands to stay until that has happened."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await _gone(receive)
        scope[TRANSPORT].abort()
        await _gone(receive)


def strike(fault: Fault) -> Response:
    """Make what the caller gets instead of an answer."""
    if fault.effect == "close":
        return NoAnswer()
    if fault.effect == "hang":
        return NoAnswer(fault.seconds)
    if fault.effect == "malformed":
        return Response(BROKEN, 201, media_type="application/json")
    body = refusal(fault.status, "injected fault").body if fault.body is None else fault.body
    return Response(orjson.dumps(body), fault.status, fault.headers, media_type="application/json")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
