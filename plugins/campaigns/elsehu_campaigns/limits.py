"""The daily limit and the warm-up: how many messages may leave on a local day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date


@dataclass(frozen=True, slots=True)
class Days:
    """What is known of the day that counts: `used_before` messages had left the queue when it began.

    `days_used` is the number of days before it on which any did: the warm-up goes by those.
    """

    day: date | None = None
    used_before: int = 0
    days_used: int = 0


def on(days: Days, today: date, used: int) -> Days:
    """Return `days` as of `today`, when `used` messages in all have left the queue.

    A day that is over does not come back, whatever happens to clocks and time zones.
    """
    if days.day is None:
        return replace(days, day=today, used_before=used)
    if today <= days.day:
        return days
    return Days(today, used, days.days_used + (used > days.used_before))


def limit_of(days: Days, daily_limit: int | None, warm_up: Sequence[int]) -> int | None:
    """Return how many messages may leave on that day, or None: any number."""
    step = warm_up[days.days_used] if days.days_used < len(warm_up) else None
    known = [limit for limit in (step, daily_limit) if limit is not None]
    return min(known, default=None)


def left(days: Days, limit: int, used: int, waiting: int) -> int:
    """Return how many more may be queued on that day while `waiting` wait; negative: so many wait too many."""
    return limit - (used - days.used_before) - waiting
