"""Meta's rate limits, in force only on demand (Meta Cloud API reference, section 10)."""

import time
from dataclasses import dataclass, field

from .errors import GraphError


@dataclass(slots=True)
class Bucket:
    """Refills one token each ``seconds``, up to ``burst``."""

    seconds: float
    burst: float
    tokens: float
    at: float

    def take(self) -> bool:
        """Take a token if there is one."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) / self.seconds)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class Limits:
    """``pair`` and ``throughput`` are (seconds for each message, burst); None: no limit."""

    pair: tuple[float, float] | None = None
    throughput: tuple[float, float] | None = None
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def set(self, *, pair: tuple[float, float] | None, throughput: tuple[float, float] | None) -> None:
        """Put limits in force, or lift them."""
        self.pair, self.throughput = pair, throughput
        self._buckets.clear()

    def check(self, number_id: str, to: str) -> None:
        """Raise the error of a limit that this message is over."""
        if self.throughput and not self._bucket(number_id, self.throughput).take():
            raise GraphError(130429, "Cloud API message throughput has been reached", status=429)
        if self.pair and not self._bucket(f"{number_id}:{to}", self.pair).take():
            raise GraphError(131056, "Too many messages sent from this phone number to the same phone number")

    def _bucket(self, key: str, limit: tuple[float, float]) -> Bucket:
        seconds, burst = limit
        return self._buckets.setdefault(key, Bucket(seconds, burst, burst, time.monotonic()))
