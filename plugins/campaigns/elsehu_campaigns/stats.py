"""The figures of a campaign: one statement over its recipients, so that they add up at any moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from elsehu.plugin import Row, UnitOfWork, isoformat
from elsehu_campaigns.estimating import Plan, end_of
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.outcomes import OUTCOMES, STATUSES
from elsehu_campaigns.states import State

RATE_SECONDS = 60.0
LEFT = ("sent", "delivered", "read", "replied", "failed", "unconfirmed")
COUNT = f"""
SELECT o.status, CASE WHEN o.status = 'skipped' THEN o.reason END AS reason, count(*) AS count,
       count(*) FILTER (WHERE o.sent_at > $2) AS recent
FROM ({OUTCOMES}) o WHERE o.campaign_id = $1 GROUP BY 1, 2
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Stats:
    """How many recipients have which status (`skipped` ones by reason), and how many messages left of late."""

    counts: Mapping[str, int]
    skipped: Mapping[str, int]
    recent: int = 0

    @property
    def total(self) -> int:
        """All recipients."""
        return sum(self.counts.values())

    @property
    def pending(self) -> int:
        """Those whose message has yet to leave."""
        return self.counts["planned"] + self.counts["queued"]

    @property
    def left(self) -> int:
        """Those whose message has left, whatever became of it."""
        return sum(self.counts[status] for status in LEFT)


async def count(uow: UnitOfWork, campaign: Campaign, now: datetime) -> Stats:
    """Count a campaign's recipients."""
    return _of(await uow.fetch(COUNT, campaign.id, now - timedelta(seconds=RATE_SECONDS)))


def _of(rows: Iterable[Row]) -> Stats:
    counts, skipped, recent = dict.fromkeys(STATUSES, 0), dict[str, int](), 0
    for row in rows:
        counts[row["status"]] += row["count"]
        recent += row["recent"]
        if row["status"] == "skipped":
            skipped[row["reason"]] = row["count"]
    return Stats(counts, dict(sorted(skipped.items())), recent)


def shown(stats: Stats, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return the REST shape of `stats`."""
    rate = _rate(stats, campaign, now)
    eta = _eta(stats, campaign, rate, now)
    return {
        "total": stats.total,
        "pending": stats.pending,
        **stats.counts,
        "skipped": dict(stats.skipped),
        "rate": rate,
        "eta": None if eta is None else isoformat(eta),
    }


def _rate(stats: Stats, campaign: Campaign, now: datetime) -> float | None:
    if campaign.state is not State.RUNNING or not stats.recent or campaign.started_at is None:
        return None
    seconds = min(RATE_SECONDS, max(1.0, (now - campaign.started_at).total_seconds()))
    return round(stats.recent / seconds, 2)


def _eta(stats: Stats, campaign: Campaign, rate: float | None, now: datetime) -> datetime | None:
    gap = campaign.gap or (1 / rate if rate else 0)
    if campaign.state is not State.RUNNING or not gap:
        return None
    plan = Plan(gap, campaign.window, campaign.daily_limit, campaign.warm_up, campaign.zone)
    return end_of(plan, stats.pending, now, campaign.days, stats.left)
