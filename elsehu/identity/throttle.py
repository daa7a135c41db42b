"""Throttling of password guesses: per account *and* address, so that nobody can lock out somebody else."""

import hashlib

import limits
from redis.asyncio import Redis

from elsehu.contracts.errors import TooMany
from elsehu.http.counting import Counter, network_of
from elsehu.settings import SecuritySettings


class Throttle:
    """Counts attempts."""

    def __init__(self, redis: Redis, security: SecuritySettings) -> None:
        self._counter = Counter(redis, "elsehu:throttle")
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
        await self._counter.clear(self._per_account, _account_key(account, network))
        await self._counter.hit(self._per_address, network, cost=-1)

    async def _hit(self, rate: limits.RateLimitItem, key: str) -> None:
        if not await self._counter.hit(rate, key):
            wait = await self._counter.wait(rate, key)
            raise TooMany("too_many_attempts", f"Too many attempts. Wait {wait:.0f} seconds.", retry_after=wait)


def _account_key(account: str, network: str) -> str:
    return hashlib.sha256(f"{account.lower()}|{network}".encode()).hexdigest()
