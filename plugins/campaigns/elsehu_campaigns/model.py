"""A campaign as the code works with it: its row, read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from elsehu.plugin import NotFound, Row, UnitOfWork
from elsehu_campaigns.limits import Days
from elsehu_campaigns.states import State
from elsehu_campaigns.stopping import Rules, rules_of
from elsehu_campaigns.windows import Window, window_of

FIND = "SELECT * FROM campaigns WHERE id = $1"
LOCK = "SELECT * FROM campaigns WHERE id = $1 FOR NO KEY UPDATE"
LOCK_IF_FREE = "SELECT * FROM campaigns WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row of `campaigns` (see tables.py)."""

    id: UUID
    name: str
    instance_id: UUID
    created_by: UUID | None
    text: str | None
    template_id: UUID | None
    header_media_id: UUID | None
    file_id: UUID | None
    contact_filter: Mapping[str, Any] | None
    mapping: Mapping[str, str]
    gap_ms: int
    jitter: float
    start_at: datetime | None
    sending_window: Mapping[str, Any] | None
    timezone: str
    daily_limit: int | None
    warm_up: Sequence[int]
    stop_rules: Mapping[str, Any]
    check_numbers: bool
    quiet_hours: int
    state: State
    state_reason: str | None
    hold_reason: str | None
    lane_id: UUID | None
    planned_after: str | None
    planned_at: datetime | None
    frozen_after: int | None
    checked_after: int | None
    judged_after: int
    day: date | None
    used_before: int
    days_used: int
    told: Mapping[str, Any] | None
    told_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime

    @property
    def gap(self) -> float:
        """Seconds between two messages."""
        return self.gap_ms / 1000

    @property
    def zone(self) -> ZoneInfo:
        """Where its days and window are counted."""
        return ZoneInfo(self.timezone)

    @property
    def window(self) -> Window | None:
        """When it may send, or None: always."""
        return window_of(self.sending_window, self.zone)

    @property
    def is_limited(self) -> bool:
        """Whether it may send only so many messages a day."""
        return self.daily_limit is not None or bool(self.warm_up)

    @property
    def days(self) -> Days:
        """What its daily limit counts."""
        return Days(self.day, self.used_before, self.days_used)

    @property
    def rules(self) -> Rules:
        """When it stops itself."""
        return rules_of(self.stop_rules)


JSON_COLUMNS = ("contact_filter", "mapping", "sending_window", "stop_rules", "told")


def campaign_of(row: Row) -> Campaign:
    """Return the campaign of a row with all columns."""
    values = dict(row)
    for name in JSON_COLUMNS:
        values[name] = None if values[name] is None else orjson.loads(values[name])
    return Campaign(**{**values, "state": State(values["state"])})


async def find(uow: UnitOfWork, campaign_id: UUID, *, lock: bool = False) -> Campaign:
    """Return a campaign, with `lock` for the rest of the transaction. Raises NotFound."""
    row = await uow.fetch_row(LOCK if lock else FIND, campaign_id)
    if row is None:
        raise not_found(campaign_id)
    return campaign_of(row)


async def find_if_free(uow: UnitOfWork, campaign_id: UUID) -> Campaign | None:
    """Lock and return a campaign, or None where somebody else works on it or it is gone."""
    row = await uow.fetch_row(LOCK_IF_FREE, campaign_id)
    return None if row is None else campaign_of(row)


def not_found(campaign_id: UUID) -> NotFound:
    """Return the refusal of an id that no campaign has."""
    return NotFound("campaign_not_found", f"There is no campaign {campaign_id}; GET /api/campaigns lists all.")
