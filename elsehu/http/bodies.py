"""Reading what clients send, at most so much of it, and not for ever."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from elsehu.contracts.errors import TooLarge, TooSlow

SLOWEST = 16 * 1024
"""Bytes a second that a body must bring, beyond the seconds that any may take."""


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return the whole body, at most `limit` bytes. Raises TooLarge; TooSlow after `seconds`, and more by its size."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds) as deadline:
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if pieces:
                    deadline.reschedule((deadline.when() or 0) + len(piece) / SLOWEST)
                pieces.append(piece)
    except TimeoutError:
        raise too_slow() from None
    return b"".join(pieces)


async def paced(request: Request, seconds: float) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises TooSlow when it was waited for longer than `seconds` and more by its size.

    What is done with a piece takes none of that time.
    """
    clock = asyncio.get_running_loop().time
    stream = aiter(request.stream())
    while True:
        asked = clock()
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            raise too_slow() from None
        if piece is None:
            return
        seconds += len(piece) / SLOWEST - (clock() - asked)
        yield piece


def too_slow() -> TooSlow:
    """Return the refusal of a body that does not arrive."""
    return TooSlow("body_too_slow", "The body arrived too slowly. Send it again over a faster connection.")


def _too_large(limit: int) -> TooLarge:
    return TooLarge("too_large", f"The body may have at most {limit} bytes.")
