"""Who is there: read from what the realtime hub writes into Redis, and "offline" where it says nothing."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.identity")

HASH = "elsehu:presence"
OFFLINE = "offline"
REDIS_TIMEOUT = 0.5


async def presence_of(kernel: Kernel, user_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return each user's presence (`online`, `away`, `offline`); all are offline while Redis is away."""
    return dict(zip(user_ids, map(_status, await _fields(kernel, user_ids)), strict=True))


async def _fields(kernel: Kernel, user_ids: Sequence[UUID]) -> Sequence[bytes | str | None]:
    if not user_ids:
        return []
    try:
        async with asyncio.timeout(REDIS_TIMEOUT):
            return await kernel.redis.hmget(HASH, [str(user_id) for user_id in user_ids])
    except (RedisError, OSError) as error:
        log.warning("presence_unknown", error=type(error).__name__)
        return [None] * len(user_ids)


def _status(stored: bytes | str | None) -> str:
    if stored is None:
        return OFFLINE
    value = orjson.loads(stored)
    return str(value.get("status", OFFLINE) if isinstance(value, dict) else value)
