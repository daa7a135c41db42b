"""Counting events against a rate, in Redis for all processes, and in this one alone while Redis is away."""

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
        """Count `cost` (negative: take so much back) and say whether `rate` allows it."""
        return await self._either(lambda limiter: limiter.hit(rate, key, cost=cost))

    async def clear(self, rate: limits.RateLimitItem, key: str) -> None:
        """Forget what was counted."""
        await self._either(lambda limiter: limiter.clear(rate, key))

    async def wait(self, rate: limits.RateLimitItem, key: str) -> float:
        """Return the seconds until the rate allows something again, at least 1."""
        window = await self._either(lambda limiter: limiter.get_window_stats(rate, key))
        return max(1.0, window.reset_time - time.time())

    async def _either(self, ask: Callable[[FixedWindowRateLimiter], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                return await ask(self._shared)
        except (RedisError, OSError) as error:
            log.warning("throttle_without_redis", error=type(error).__name__)
            return await ask(self._own)


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network that one IPv6 line is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((int(parsed), 64), strict=False))
    return str(parsed)
