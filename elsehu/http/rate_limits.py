"""How often callers may call: each user, API key or address so many requests of a class in a while (`[rate_limits]`).

Counted in Redis for all processes, and by each process alone while Redis is away: a limit never keeps everybody out.
Of a high limit a process takes a block at once, so that Redis is asked once for many requests.
"""

import time

import limits
from redis.asyncio import Redis
from starlette.requests import Request

from elsehu.contracts.errors import TooMany
from elsehu.contracts.user import Caller
from elsehu.http.counting import Counter, network_of
from elsehu.settings import RateLimitSettings

BLOCKS = 1000
"""In how many blocks at most a limit is taken."""
MOST_CALLERS = 10_000
READING = ("GET", "HEAD")


class RateLimits:
    """The limits of one process."""

    def __init__(self, redis: Redis, settings: RateLimitSettings) -> None:
        self._counter = Counter(redis, "elsehu:rates")
        self._rates = {kind: limits.parse(rate) for kind, rate in settings.model_dump().items() if rate}
        self._held: dict[tuple[str, str], tuple[int, int]] = {}

    async def count(self, kind: str, who: str) -> None:
        """Count one request of a class (a key of `[rate_limits]`). Raises TooMany beyond the limit."""
        rate = self._rates.get(kind)
        if rate is None:
            return
        window = int(time.time() // rate.get_expiry())
        held_in, held = self._held.get((kind, who), (window, 0))
        if held_in == window and held > 0:
            self._held[kind, who] = (window, held - 1)
            return
        block = max(1, rate.amount // BLOCKS)
        if not await self._counter.hit(rate, f"{kind}:{who}", block):
            wait = await self._counter.wait(rate, f"{kind}:{who}")
            detail = f"You made more than {rate} of such requests. Wait {wait:.0f} seconds, and ask less often."
            raise TooMany("rate_limited", detail, retry_after=wait)
        if len(self._held) >= MOST_CALLERS:
            self._held.clear()
        self._held[kind, who] = (window, block - 1)


def kind_of(method: str, *, is_heavy: bool) -> str:
    """Return the class of a request of somebody who is logged in."""
    if is_heavy:
        return "heavy"
    return "read" if method in READING else "write"


def name_of(caller: Caller) -> str:
    """Return by what a caller's requests are counted."""
    return str(caller.user_id or caller.api_key_id)


def address_of(request: Request) -> str:
    """Return by what requests of strangers are counted: their address, behind trusted proxies too."""
    return network_of(request.client.host) if request.client else "unknown"
