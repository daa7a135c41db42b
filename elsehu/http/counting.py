"""Counting events against a rate: in this process, and in Redis for all of them as long as it is there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

import limits
import structlog
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger("elsehu.rates")

REDIS_TIMEOUT = 1.0
Answer = TypeVar("Answer")


class Counter:
    """Counts by keys, those in Redis beginning with `prefix`."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=prefix,
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]
        )
        self._shared = FixedWindowRateLimiter(storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())

    async def hit(self, rate: limits.RateLimitItem, key: str, cost: int = 1) -> bool:
        """Count `cost` (negative: take so much back) and say whether `rate` allows it.

        Here first, then in Redis: where Redis is late for some, no more are let through than the rate allows.
        """
        if not await self._own.hit(rate, key, cost=cost):
            return False
        is_allowed = await self._asked(lambda: self._shared.hit(rate, key, cost=cost), True)
        if not is_allowed:
            await self._own.hit(rate, key, cost=-cost)
        return is_allowed

    async def clear(self, rate: limits.RateLimitItem, key: str) -> None:
        """Forget what was counted."""
        await self._own.clear(rate, key)
        await self._asked(lambda: self._shared.clear(rate, key), None)

    async def wait(self, rate: limits.RateLimitItem, key: str) -> float:
        """Return the seconds until the rate allows something again, at least 1."""
        window = await self._own.get_window_stats(rate, key)
        if window.remaining > 0:
            window = await self._asked(lambda: self._shared.get_window_stats(rate, key), window)
        return max(1.0, window.reset_time - time.time())

    async def _asked(self, question: Callable[[], Awaitable[Answer]], otherwise: Answer) -> Answer:
        """Return what Redis answers, or `otherwise` where it does not."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                return await question()
        except (RedisError, OSError) as error:
            log.warning("counting_without_redis", error=type(error).__name__)
            return otherwise


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network that one IPv6 line is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((int(parsed), 64), strict=False))
    return str(parsed)
