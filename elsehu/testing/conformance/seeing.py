"""What the checks look with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from elsehu.contracts.errors import ElsehuError
from elsehu.testing.conformance.outcome import Failed

Seen = TypeVar("Seen")
PATIENCE = 15.0


async def until(look: Callable[[], Awaitable[Seen | None]], what: str, seconds: float = PATIENCE) -> Seen:
    """Look again and again until there is something to see. Raises Failed with `what` did not happen."""
    try:
        async with asyncio.timeout(seconds):
            while not (seen := await look()):  # noqa: ASYNC110 - what is awaited has no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Failed(f"{what} did not happen within {seconds:g} s") from None
    return seen


def told(error: BaseException) -> str:
    """Return an error in a line."""
    if isinstance(error, ElsehuError):
        return f"{type(error).__name__}({error.code!r}, {error.detail!r})"
    return f"{type(error).__name__}: {error}"


def around(text: str, marks: set[str]) -> str:
    """Return what stands around the first of `marks` in `text`, without it; empty if none is there."""
    found = next((mark for mark in sorted(marks, key=len, reverse=True) if mark in text), None)
    if found is None:
        return ""
    before, _, after = text.partition(found)
    return f"…{before[-60:]}[the secret]{after[:20]}…"
