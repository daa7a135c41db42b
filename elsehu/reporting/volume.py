"""Volume: how many conversations were opened and closed in each hour, day, week or month of a zone's clock."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from elsehu.clock import isoformat
from elsehu.contracts.errors import FieldError, Invalid
from elsehu.kernel import Kernel
from elsehu.reporting.asking import OPENED, Asked, prepare
from elsehu.reporting.finished import OPEN, is_known_of_open

MOST_BUCKETS = 2000
SHORTEST = {
    "hour": timedelta(hours=1),
    "day": timedelta(hours=22),
    "week": timedelta(days=6),
    "month": timedelta(days=27),
}
USUAL = timedelta(days=30)
FINISHED_IN = """
SELECT width_bucket(r.closed_at, {starts}::timestamptz[]) AS place, count(*) AS finished,
       sum(messages_in) AS messages_in, sum(messages_out) AS messages_out
FROM report_conversations r WHERE {where} GROUP BY 1
"""
OPENED_IN = """
SELECT width_bucket(r.opened_at, {starts}::timestamptz[]) AS place, count(*) AS opened
FROM ({opened}) r WHERE {where} GROUP BY 1
"""
ALREADY_FINISHED = "SELECT * FROM report_conversations"


async def volume(kernel: Kernel, asked: Asked, bucket: str) -> dict[str, Any]:
    """Return the volume by `bucket`. Raises Invalid where there would be too many, or none."""
    end = asked.end or kernel.now()
    start = asked.start or end - USUAL
    starts = buckets(start, end, bucket, asked.zone)
    whole = asked.between(start, end)
    await prepare(kernel, whole)
    counts = await _counted(kernel, whole, starts)
    limits = pairwise([*starts, end])
    items = [_item(whole.between(*limit), counts.get(place, {})) for place, limit in enumerate(limits, start=1)]
    return {**whole.shown(), "bucket": bucket, "items": items}


async def _counted(kernel: Kernel, asked: Asked, starts: Sequence[datetime]) -> Mapping[int, dict[str, int]]:
    """Return the counts of each bucket that has any, by its place, from 1 on."""
    closed, opened = asked.filters(), asked.filters("r.opened_at")
    finished_in = FINISHED_IN.format(starts=closed.argument(list(starts)), where=closed.where())
    counts: dict[int, dict[str, int]] = {}
    for row in await kernel.db.fetch(finished_in, *closed.arguments):
        counts.setdefault(row["place"], {}).update(row)
    placeholder = opened.argument(list(starts))
    tables = [ALREADY_FINISHED, *([OPEN] if is_known_of_open(asked) else [])]
    for table in tables:
        sql = OPENED_IN.format(starts=placeholder, opened=table, where=opened.where())
        for row in await kernel.db.fetch(sql, *opened.arguments):
            there = counts.setdefault(row["place"], {})
            there["opened"] = there.get("opened", 0) + row["opened"]
    return counts


def _item(asked: Asked, counts: Mapping[str, int]) -> dict[str, Any]:
    assert asked.start is not None
    assert asked.end is not None
    return {
        "from": isoformat(asked.start),
        "to": isoformat(asked.end),
        "local": f"{asked.start.astimezone(asked.zone):%Y-%m-%dT%H:%M}",
        "opened": counts.get("opened", 0),
        "finished": counts.get("finished", 0),
        "messagesIn": counts.get("messages_in", 0),
        "messagesOut": counts.get("messages_out", 0),
        "openedConversations": asked.link(OPENED),
        "conversations": asked.link(),
    }


def buckets(start: datetime, end: datetime, bucket: str, zone: ZoneInfo) -> list[datetime]:
    """Return the beginnings of the buckets between two times, the first one cut off at `start`.

    Raises Invalid where there are more than MOST_BUCKETS, or none.
    """
    if start >= end:
        raise Invalid(
            "invalid_request", "`from` must be in the past.", errors=[FieldError("from", "is not before `to`")]
        )
    if (end - start) / SHORTEST[bucket] > MOST_BUCKETS:
        problem = FieldError("bucket", f"there may be at most {MOST_BUCKETS} of them")
        raise Invalid("invalid_request", "Ask for a shorter time, or for longer buckets.", errors=[problem])
    return [start, *(one for one in _beginnings(start, bucket, zone, end) if one > start)]


def _beginnings(start: datetime, bucket: str, zone: ZoneInfo, end: datetime) -> Iterator[datetime]:
    """Yield the beginning of the bucket of `start`, and of all after it before `end`."""
    if bucket == "hour":
        at = start
        while (at := _whole_hour(at, zone)) < end:
            yield at
            at += timedelta(hours=1)
        return
    day = start.astimezone(zone).date()
    day -= timedelta(days=day.weekday() if bucket == "week" else day.day - 1 if bucket == "month" else 0)
    while (at := datetime.combine(day, time(), zone).astimezone(UTC)) < end:
        yield at
        if bucket == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if bucket == "week" else 1)


def _whole_hour(at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the hour of the zone's clock began that `at` is in."""
    shown = at.astimezone(zone)
    return at - timedelta(minutes=shown.minute, seconds=shown.second, microseconds=shown.microsecond)
