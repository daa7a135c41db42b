"""When a campaign is likely to end, by its pace, window and limits. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from elsehu_campaigns.limits import Days, limit_of, on
from elsehu_campaigns.windows import Span, Window, end_of_day, local_day, opening

TEN_YEARS = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an end follows from. `gap` is in seconds between two messages, `zone` that of the days."""

    gap: float
    window: Window | None
    daily_limit: int | None
    warm_up: Sequence[int]
    zone: ZoneInfo


def end_of(plan: Plan, messages: int, now: datetime, days: Days | None = None, used: int = 0) -> datetime | None:
    """Return when the last of so many `messages` leaves, from `now` on; None if that is more than ten years away.

    `days` and `used` are those of a campaign that has begun (see limits.py).
    """
    if messages <= 0:
        return now
    days, at = days or Days(), now
    while at - now < TEN_YEARS:
        span = _span(plan, at)
        days = on(days, local_day(span.start, plan.zone), used)
        most = _most(plan, days, span, used)
        if messages <= most:
            return span.start + timedelta(seconds=plan.gap * (messages - 1))
        messages, used, at = messages - most, used + most, span.end
    return None


def _span(plan: Plan, at: datetime) -> Span:
    """Return the next time in which messages leave without a break: within one local day, and within the window."""
    span = opening(plan.window, at) if plan.window else Span(at, end_of_day(at, plan.zone))
    start = max(at, span.start)
    return Span(start, min(span.end, end_of_day(start, plan.zone)))


def _most(plan: Plan, days: Days, span: Span, used: int) -> int:
    """Return how many messages leave in `span`."""
    seconds = (span.end - span.start).total_seconds()
    fit = ceil(seconds / plan.gap) if plan.gap > 0 else None
    limit = limit_of(days, plan.daily_limit, plan.warm_up)
    rest = None if limit is None else max(0, limit - (used - days.used_before))
    known = [most for most in (fit, rest) if most is not None]
    return min(known, default=10**12)
