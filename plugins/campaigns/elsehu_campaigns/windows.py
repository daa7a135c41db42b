"""When messages may leave: the sending window and local days, as instants. Pure, and right on days of clock changes.

A day's window goes from the first instant at which the clock there shows `start` (or has jumped over it) to the first
at which it shows `end`. So an hour that comes twice is sent in once, and one that is left out is missed by nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
SECOND = timedelta(seconds=1)
DAYS_AHEAD = 9
"""Every weekday comes within eight days, and one more in case a calendar left out a day."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """`start` and `end` are minutes of the day, `days` ISO weekdays (1 is Monday)."""

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo


def window_of(shown: Mapping[str, Any] | None, zone: ZoneInfo) -> Window | None:
    """Return the window that the API shows as `shown` ({days, from, to})."""
    if shown is None:
        return None
    return Window(frozenset(shown["days"]), _minutes(shown["from"]), _minutes(shown["to"]), zone)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return the first instant of the local `day` at which its clock shows `minutes` after midnight, or later."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    return at if _wall(at, zone) == wall else _end_of_gap(wall, zone)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clock jumped over `wall`, to the second."""
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        before, after = (before, middle) if _wall(middle, zone) >= wall else (middle, after)
    return after


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """Return the date there."""
    return now.astimezone(zone).date()


def end_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """Return when the next day begins there."""
    return instant(local_day(now, zone), DAY_MINUTES, zone)


def opening(window: Window, now: datetime) -> Span:
    """Return the span in which messages may leave that contains `now`, or the next one."""
    return next(span for span in _spans(window, now) if span.start < span.end and now < span.end)


def _spans(window: Window, now: datetime) -> Iterator[Span]:
    today = local_day(now, window.zone)
    for ahead in range(-1, DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if day.isoweekday() in window.days:
            yield Span(instant(day, window.start, window.zone), instant(day, window.end, window.zone))
