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
FINISHED = "SELECT * FROM report_conversations"
FIRST_CLOSING = "SELECT min(r.closed_at) FROM report_conversations r WHERE {where}"


async def volume(kernel: Kernel, asked: Asked, bucket: str) -> dict[str, Any]:
    """Return the volume by `bucket`. Raises Invalid where there would be too many, or none."""
    end = asked.end or kernel.now()
    whole = asked.between(asked.start or end - USUAL, end)
    buckets = await counted(kernel, whole, bucket, MOST_BUCKETS)
    limits = pairwise([*(start for start, _ in buckets), end])
    items = [_item(whole.between(*limit), counts) for limit, (_, counts) in zip(limits, buckets, strict=True)]
    return {**whole.shown(), "bucket": bucket, "items": items}


async def counted(kernel: Kernel, asked: Asked, bucket: str, most: int) -> Sequence[tuple[datetime, Mapping[str, int]]]:
    """Return each bucket of a limited time, with its counts. Raises Invalid where there would be too many, or none."""
    assert asked.start is not None
    assert asked.end is not None
    starts = beginnings(asked.start, asked.end, bucket, asked.zone, most)
    await prepare(kernel, asked)
    counts: list[dict[str, int]] = [{} for _ in starts]
    filters = asked.filters()
    sql = FINISHED_IN.format(starts=filters.argument(list(starts)), where=filters.where())
    for row in await kernel.db.fetch(sql, *filters.arguments):
        counts[row["place"] - 1].update(row)
    for place, opened in await _opened(kernel, asked, starts):
        counts[place - 1]["opened"] = counts[place - 1].get("opened", 0) + opened
    return list(zip(starts, counts, strict=True))


async def _opened(kernel: Kernel, asked: Asked, starts: Sequence[datetime]) -> list[tuple[int, int]]:
    """Return (place from 1 on, count) of the finished and of the open conversations."""
    filters = asked.filters("r.opened_at")
    placeholder = filters.argument(list(starts))
    sources = [FINISHED, *([OPEN] if is_known_of_open(asked) else [])]
    statements = [OPENED_IN.format(starts=placeholder, opened=one, where=filters.where()) for one in sources]
    rows = [row for sql in statements for row in await kernel.db.fetch(sql, *filters.arguments)]
    return [(row["place"], row["opened"]) for row in rows]


async def first_closing(kernel: Kernel, asked: Asked) -> datetime | None:
    """Return when the first conversation was closed that is asked for."""
    filters = asked.filters()
    sql = FIRST_CLOSING.format(where=filters.where())
    first: datetime | None = await kernel.db.fetch_value(sql, *filters.arguments)
    return first


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


def beginnings(start: datetime, end: datetime, bucket: str, zone: ZoneInfo, most: int) -> list[datetime]:
    """Return the beginnings of the buckets between two times, the first one cut off at `start`.

    Raises Invalid where there are more than `most`, or none.
    """
    if start >= end:
        raise Invalid(
            "invalid_request", "`from` must be in the past.", errors=[FieldError("from", "is not before `to`")]
        )
    if (end - start) / SHORTEST[bucket] > most:
        problem = FieldError("bucket", f"there may be at most {most} of them")
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
