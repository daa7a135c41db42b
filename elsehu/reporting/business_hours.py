"""`[business_hours]` as a clock: its ranges as spans of time, found anew for each date of the zone."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from elsehu.desk.hours import DAYS, MINUTES_OF_A_DAY, Hours, Range, minutes_of
from elsehu.reporting.clocks import Business
from elsehu.reporting.history import Span
from elsehu.reporting.holding import union
from elsehu.settings import BusinessHoursSettings

VERSION = 1
"""Counts what changes the figures of the same history, whatever the settings: raise it to have all worked out anew."""


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """The weekly hours, the holidays (dates, or `MM-DD`), and a number that is another one for other business hours."""

    hours: Hours
    holidays: frozenset[str]
    version: int

    @classmethod
    def of(cls, settings: BusinessHoursSettings) -> "BusinessHours":
        """Return the settings as hours."""
        ranges = tuple(one for text in settings.ranges for one in _ranges(text))
        text = f"{VERSION} {settings.timezone} {sorted(settings.ranges)} {sorted(settings.holidays)}"
        version = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])
        return cls(Hours(ZoneInfo(settings.timezone), ranges), frozenset(settings.holidays), version)

    def clock(self, start: int, end: int) -> Business:
        """Return the clock for instants between `start` and `end`."""
        years = (datetime.fromtimestamp(one / 1000, UTC).year for one in (start, end))
        return _clock(self.hours, self.holidays, *years)


@lru_cache(maxsize=16)
def _clock(hours: Hours, holidays: frozenset[str], first: int, last: int) -> Business:
    """Return the clock for some years, with two days on either side: whatever the zone, whatever the range."""
    days = (date(first, 1, 1) - timedelta(days=2), date(last, 12, 31) + timedelta(days=2))
    return Business(union(_spans(hours, holidays, *days)))


def _spans(hours: Hours, holidays: frozenset[str], first: date, last: date) -> Iterator[Span]:
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if day.isoformat() in holidays or f"{day:%m-%d}" in holidays:
            continue
        for one in hours.ranges:
            if day.weekday() in one.days:
                yield _instant(hours.zone, day, one.start), _instant(hours.zone, day, one.end)


def _instant(zone: ZoneInfo, day: date, minutes: int) -> int:
    """Return when the zone's clock first shows a time; one that it skips is so much later."""
    days, minute = divmod(minutes, MINUTES_OF_A_DAY)
    shown = datetime.combine(day + timedelta(days=days), time(*divmod(minute, 60)), zone)
    return int(shown.timestamp()) * 1000


def _ranges(text: str) -> Iterator[Range]:
    """Yield the ranges of `mon-fri 08:00-12:00 13:00-18:00`."""
    named, *spans = text.split()
    first, _, last = named.partition("-")
    start, end = DAYS.index(first), DAYS.index(last or first)
    days = frozenset(day % 7 for day in range(start, end + (7 if end < start else 0) + 1))
    for span in spans:
        opens, closes = map(minutes_of, span.split("-"))
        yield Range(days, opens, closes if closes > opens else closes + MINUTES_OF_A_DAY)
