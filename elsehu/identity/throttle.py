"""Throttling of password guesses: per account *and* address, so that nobody can lock out somebody else."""

import asyncio
import hashlib
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

from elsehu.contracts.errors import TooMany
from elsehu.settings import SecuritySettings

log = structlog.get_logger("elsehu.identity")

REDIS_TIMEOUT = 1.0
Answer = TypeVar("Answer")


class Throttle:
    """Counts attempts in Redis for all processes, and in this one alone while Redis is away."""

    def __init__(self, redis: Redis, security: SecuritySettings) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="elsehu:throttle",
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]
        )
        self._shared = FixedWindowRateLimiter(storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._per_account = limits.parse(security.login_attempts_per_account)
        self._per_address = limits.parse(security.login_attempts_per_address)

    async def count(self, account: str, address: str) -> None:
        """Count an attempt on `account` from `address` before it is tried. Raises TooMany."""
        network = network_of(address)
        await self._hit(self._per_address, network)
        await self._hit(self._per_account, _account_key(account, network))

    async def forgive(self, account: str, address: str) -> None:
        """Take back what a successful attempt was counted as: only failures fill the limits.

        The address gets back this one attempt alone, or an attacker with an account of his own could go on
        guessing at others.
        """
        network = network_of(address)
        await self._either(lambda limiter: limiter.clear(self._per_account, _account_key(account, network)))
        await self._either(lambda limiter: limiter.hit(self._per_address, network, cost=-1))

    async def _hit(self, rate: limits.RateLimitItem, key: str) -> None:
        if await self._either(lambda limiter: limiter.hit(rate, key)):
            return
        window = await self._either(lambda limiter: limiter.get_window_stats(rate, key))
        wait = max(1.0, window.reset_time - time.time())
        raise TooMany("too_many_attempts", f"Too many attempts. Wait {wait:.0f} seconds.", retry_after=wait)

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


def _account_key(account: str, network: str) -> str:
    return hashlib.sha256(f"{account.lower()}|{network}".encode()).hexdigest()
