"""Working hours: ranges of the week on the clock of one time zone.

A range is between two instants, found anew for each date: it begins and ends when its zone's clock first shows these
times, also on the days on which that clock is put forward or back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Range:
    """On some weekdays (0 is Monday), from one minute of the day to another; beyond 1,440 it ends the day after."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody works."""

    zone: ZoneInfo
    ranges: tuple[Range, ...]

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> "Hours":
        """Return the hours of `{"timezone", "ranges": [{"days": ["mon"], "from": "09:00", "to": "18:00"}]}`.

        `to` may be `24:00`; where it is not after `from`, the range ends on the next day.
        """
        return cls(ZoneInfo(data["timezone"]), tuple(_range(one) for one in data["ranges"]))

    def include(self, at: datetime) -> bool:
        """Whether `at` (aware) is within."""
        today = at.astimezone(self.zone).date()
        return any(self._includes(at, day) for day in (today - timedelta(days=1), today))

    def _includes(self, at: datetime, day: date) -> bool:
        mine = [one for one in self.ranges if day.weekday() in one.days]
        return any(self._instant(day, one.start) <= at < self._instant(day, one.end) for one in mine)

    def _instant(self, day: date, minutes: int) -> datetime:
        """Return when the zone's clock first shows a time; one that it skips is so much later."""
        days, minute = divmod(minutes, MINUTES_OF_A_DAY)
        shown = datetime.combine(day + timedelta(days=days), time(*divmod(minute, 60)), self.zone)
        return shown.astimezone(UTC)


def _range(data: Mapping[str, Any]) -> Range:
    start, end = minutes_of(data["from"]), minutes_of(data["to"])
    later = 0 if end > start else MINUTES_OF_A_DAY
    return Range(frozenset(DAYS.index(day) for day in data["days"]), start, end + later)


def minutes_of(text: str) -> int:
    """Return the minute of the day of `HH:MM`."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
