"""How fast a number may send: a token bucket that no sliding second outruns, also seen from the provider."""

from dataclasses import dataclass

MARGIN = 0.05
"""The share of a rate that is left unused: two messages that leave in order do not arrive quite as far apart."""

BURST = 0.05
"""The share of a second's messages that may leave together, where that is more than one."""


@dataclass(slots=True)
class Bucket:
    """Tokens of a number that may send `rate` messages a second. `tokens` are those of the time `at`, in seconds.

    A full bucket and what comes in during a second are together at most one more than may leave in it, and it takes
    a whole second to use them: so it fills by `rate` less the margin and less what it holds beyond one.
    """

    rate: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, at: float) -> "Bucket":
        """Return the bucket of a number that has sent nothing for a while."""
        return cls(rate, _burst(rate), at)

    @property
    def per_second(self) -> float:
        """How many tokens come in a second."""
        return self.rate * (1 - MARGIN) - (_burst(self.rate) - 1)

    def fill(self, now: float) -> None:
        """Let the tokens come that are due by `now`. A clock that is behind that of the last spender adds none."""
        elapsed = max(0.0, now - self.at)
        self.tokens = min(_burst(self.rate), self.tokens + elapsed * self.per_second)
        self.at = max(self.at, now)

    def take(self, now: float) -> float:
        """Take a token and return in how many seconds it is there."""
        self.fill(now)
        self.tokens -= 1.0
        return self.at - now + max(0.0, -self.tokens / self.per_second)

    def next_at(self) -> float:
        """Return when a whole token is there."""
        return self.at + max(0.0, (1.0 - self.tokens) / self.per_second)


def _burst(rate: float) -> float:
    return max(1.0, rate * BURST)
