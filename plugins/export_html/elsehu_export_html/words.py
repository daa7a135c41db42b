"""Values as people read them, safe to stand in a page."""

from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from elsehu.plugin import ColumnKind

MINUTE, HOUR, DAY = 60, 3600, 86_400


def shown(value: Any, kind: ColumnKind, zone: ZoneInfo | None = None) -> str:
    """Return a value as text of a page."""
    if value is None:
        return "–"
    if kind is ColumnKind.DURATION:
        return duration(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: `42 s`, `3 min 05 s`, `2 h 07 min`, `4 d 3 h`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != whole else f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"
