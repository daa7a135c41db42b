"""What a report is asked for: which conversations, from when to when, on which clock."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from elsehu.clock import isoformat
from elsehu.contracts.errors import FieldError, Invalid
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.filters import Filters
from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.keeping import catch_up, update_hours
from elsehu.reporting.schemas import ReportQuery, camel

FINISHED = "/api/reports/finished-conversations"
OPENED = "/api/reports/opened-conversations"
COLUMNS = {
    "operator_id": "r.operator_id = {}",
    "service_instance_id": "r.instance_id = {}",
    "tabulation_id": "r.tabulation_id = {}",
    "lane_id": "r.lane_id = {}",
}
HANDLED = """EXISTS (SELECT 1 FROM report_parts p
             WHERE p.conversation_id = r.id AND p.operator_id = {} AND p.had)"""
SUFFIX = {"calendar": "", "business": "_business"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A report's filter. `start` is included, `end` is not; None: without a limit. `only` has ids by parameter."""

    start: datetime | None
    end: datetime | None
    zone: ZoneInfo
    clock: str = "calendar"
    only: Mapping[str, UUID] | None = None

    @property
    def suffix(self) -> str:
        """What the names of duration columns end with on this clock."""
        return SUFFIX[self.clock]

    def filters(self, time_column: str = "r.closed_at") -> Filters:
        """Return the filter as conditions on `report_conversations r`."""
        filters = Filters()
        if self.start:
            filters.add(f"{time_column} >= {{}}", self.start)
        if self.end:
            filters.add(f"{time_column} < {{}}", self.end)
        for name, value in (self.only or {}).items():
            filters.add(COLUMNS.get(name, HANDLED), value)
        return filters

    def between(self, start: datetime, end: datetime) -> "Asked":
        """Return the same for another time."""
        return replace(self, start=start, end=end)

    def of(self, **only: UUID) -> "Asked":
        """Return the same, for some conversations only."""
        return replace(self, only={**(self.only or {}), **only})

    def link(self, path: str = FINISHED) -> str:
        """Return where the conversations are listed that this is about."""
        times = {"from": self.start and isoformat(self.start), "to": self.end and isoformat(self.end)}
        ids = {camel(name): str(value) for name, value in (self.only or {}).items()}
        clock = {"clock": self.clock} if self.clock != "calendar" else {}
        given = {name: value for name, value in {**times, **ids, **clock}.items() if value}
        return f"{path}?{urlencode(given, safe=':')}" if given else path

    def shown(self) -> dict[str, Any]:
        """Return how every report says what it is about."""
        return {
            "from": self.start and isoformat(self.start),
            "to": self.end and isoformat(self.end),
            "clock": self.clock,
            "timezone": self.zone.key,
        }


def asked_by(kernel: Kernel, query: ReportQuery) -> Asked:
    """Return what a query asks for. Raises Invalid where it ends before it begins."""
    zone = ZoneInfo(query.timezone or kernel.settings.business_hours.timezone)
    start, end = instant(query.from_, zone), instant(query.to, zone)
    if start and end and start >= end:
        raise Invalid("invalid_request", "`to` must be after `from`.", errors=[FieldError("to", "is not after `from`")])
    names = (*COLUMNS, "handled_by")
    only = {name: getattr(query, name) for name in names if getattr(query, name) is not None}
    return Asked(start, end, zone, query.clock, only)


def instant(when: date | None, zone: ZoneInfo) -> datetime | None:
    """Return a time as it is, a date as its beginning in `zone`."""
    if when is None or isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), zone).astimezone(UTC)


async def prepare(kernel: Kernel, asked: Asked) -> None:
    """Have the rows be right that `asked` is about."""
    hours = BusinessHours.of(kernel.settings.business_hours)
    await catch_up(kernel.db, hours)
    if asked.clock == "business":
        await update_hours(kernel.db, hours, asked.start, asked.end)
