"""A B A B: both sides of a comparison see the same machine, however it drifts."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def alternate(
    rounds: int, ours: Callable[[int], Awaitable[Result]], floor: Callable[[int], Awaitable[Result]]
) -> list[tuple[Result, Result]]:
    """Measure both sides in turn; return (ours, floor) of each round. Round 0 warms up and is not counted."""
    pairs = [(await ours(number), await floor(number)) for number in range(rounds + 1)]
    return pairs[1:]
