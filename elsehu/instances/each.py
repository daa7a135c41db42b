"""Doing something for many numbers, one after the other: what fails for one is noted, and the others go on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog

from elsehu.contracts.errors import ElsehuError
from elsehu.db import CONNECTION_LOST, Row
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.instances")

PAUSE_SECONDS = 0.2
"""Between two numbers: they often are on one server."""


async def for_each(numbers: Sequence[Row], act: Callable[[UUID], Awaitable[None]]) -> str:
    """Run `act` for each of the `numbers` (`id`, `name`); return in words how many went well and which did not."""
    troubles: list[str] = []
    for number in numbers:
        trouble = await _trouble(act, number["id"])
        if trouble:
            troubles.append(f"{number['name']}: {trouble}")
        await asyncio.sleep(PAUSE_SECONDS)
    done = f"{len(numbers) - len(troubles)} of {len(numbers)} numbers"
    return f"{done}; {'; '.join(troubles)}" if troubles else done


async def _trouble(act: Callable[[UUID], Awaitable[None]], instance_id: UUID) -> str:
    try:
        await act(instance_id)
    except CONNECTION_LOST:
        raise
    except ElsehuError as error:
        return error.detail
    except WrongSecretKey:
        return "its credentials cannot be read with the configured secret key"
    except Exception as error:
        log.exception("number_failed", instance=str(instance_id))
        return f"{type(error).__name__}, see the log"
    return ""
