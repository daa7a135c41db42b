"""Who is there, in the database: followed from Redis, so that it can be held still while a conversation is given.

Redis knows more (realtime/presence.py) but forgets when it restarts. While it does not answer nothing changes here,
and nobody is given anything. When it comes back empty all seem to be gone for the seconds until their processes have
said again that they are there: nothing is given meanwhile, and nothing is taken, for that takes minutes.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from elsehu.db import UnitOfWork
from elsehu.identity.presence import HASH, REDIS_TIMEOUT
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.desk")

KNOW = "INSERT INTO desk_operators (user_id) SELECT id FROM users ON CONFLICT DO NOTHING"
FOLLOW = """
WITH told AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS t(user_id, status)),
changed AS (
    SELECT o.user_id, coalesce(told.status, 'offline') AS status FROM desk_operators o LEFT JOIN told USING (user_id)
    WHERE o.presence <> coalesce(told.status, 'offline') ORDER BY o.user_id FOR UPDATE OF o
)
UPDATE desk_operators o SET presence = changed.status, presence_since = $3
FROM changed WHERE o.user_id = changed.user_id
"""


async def follow(uow: UnitOfWork, kernel: Kernel) -> bool:
    """Note who is there now; say whether that is known."""
    try:
        async with asyncio.timeout(REDIS_TIMEOUT):
            stored = await cast(Awaitable[dict[bytes, bytes]], kernel.redis.hgetall(HASH))
    except (RedisError, OSError) as error:
        log.warning("presence_unknown", error=type(error).__name__)
        return False
    now = kernel.now()
    await note(uow, _present(stored, now), now)
    return True


async def note(uow: UnitOfWork, present: Mapping[UUID, str], now: datetime) -> None:
    """Note that these users are `online` or `away`, and all others `offline`; from `now` on, if they were not so."""
    await uow.execute(KNOW)
    await uow.execute(FOLLOW, list(present), list(present.values()), now)


def _present(stored: Mapping[bytes, bytes], now: datetime) -> dict[UUID, str]:
    entries = {UUID(user.decode()): orjson.loads(entry) for user, entry in stored.items()}
    return {user_id: str(entry["status"]) for user_id, entry in entries.items() if entry["until"] > now.timestamp()}
