"""The small memory that each plugin has in Redis: shared by all processes, and never the only place of anything."""

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger("elsehu.cache")


class PluginCache:
    """`contracts.plugin.Cache` of one plugin. While Redis is away it remembers nothing."""

    def __init__(self, redis: Redis, plugin: str) -> None:
        self._redis = redis
        self._prefix = f"elsehu:plugin:{plugin}:"

    async def get(self, key: str) -> str | None:
        """Return what was put under `key`, or None."""
        try:
            found = await self._redis.get(self._prefix + key)
        except (RedisError, OSError) as error:
            log.info("cache_away", error=type(error).__name__)
            return None
        return found.decode() if isinstance(found, bytes) else found

    async def put(self, key: str, value: str, seconds: int) -> None:
        """Remember `value` under `key` for at most `seconds`."""
        try:
            await self._redis.set(self._prefix + key, value, ex=seconds)
        except (RedisError, OSError) as error:
            log.info("cache_away", error=type(error).__name__)

    async def drop(self, key: str) -> None:
        """Forget what is under `key`."""
        try:
            await self._redis.delete(self._prefix + key)
        except (RedisError, OSError) as error:
            log.info("cache_away", error=type(error).__name__)
