"""Time as Elsehu keeps it: aware, UTC, shown as ISO 8601 with `Z` and milliseconds."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present as an aware UTC datetime."""
    return datetime.now(UTC)


def isoformat(at: datetime) -> str:
    """Return `at` (aware) as `2026-11-23T15:19:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_epoch(seconds: float) -> datetime:
    """Return the aware UTC datetime of epoch `seconds`; values over 10**11 are taken as milliseconds."""
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
