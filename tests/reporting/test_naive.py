"""A thousand generated histories: the rows that reports are made of are what a plain reading of docs/reports.md gives.

And the rows can be dropped and made again, to the same rows.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from elsehu.db import Database
from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.keeping import catch_up, rebuild, update_hours
from elsehu.settings import BusinessHoursSettings

from . import histories, naive

COUNT = 1000
HOURS = [
    BusinessHoursSettings(
        ranges=["mon-fri 08:00-12:00 13:30-18:00", "sat 09:00-12:15"], holidays=["2026-11-20", "12-25"]
    ),
    BusinessHoursSettings(timezone="America/New_York", ranges=["mon-sun 00:30-02:30 20:00-24:00"]),
    BusinessHoursSettings(timezone="Europe/Lisbon", ranges=["mon-fri 22:00-06:00", "sat-sun 01:15-01:45 01:30-03:00"]),
    BusinessHoursSettings(timezone="Australia/Lord_Howe", ranges=["sun 01:30-02:15", "mon 00:00-24:00"]),
    BusinessHoursSettings(timezone="Asia/Kathmandu", ranges=[]),
]
TIMES = ("assigned_at", "first_reply_at")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield pool


async def kept(pool: asyncpg.Pool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All rows, as they are but for the serial number of parts."""
    whole = await pool.fetch("SELECT * FROM report_conversations ORDER BY id")
    parts = await pool.fetch("SELECT * FROM report_parts ORDER BY conversation_id, operator_id")
    return [dict(row) for row in whole], [{**row, "id": None} for row in parts]


async def test_a_thousand_histories(pool: asyncpg.Pool) -> None:
    db = Database(pool)
    async with pool.acquire() as connection:
        await histories.write(connection, histories.generate(seed=2026, count=COUNT))
        expected = await naive.conversations(connection)
    assert len(expected) == COUNT
    await catch_up(db, BusinessHours.of(HOURS[0]))
    for settings in HOURS:
        await update_hours(db, BusinessHours.of(settings))
        whole, parts = await kept(pool)
        compare(expected, whole, parts, naive_clock(settings, expected), "_business")
    compare(expected, whole, parts, naive.calendar, "")

    async for _ in rebuild(db, BusinessHours.of(HOURS[-1])):
        pass
    assert await kept(pool) == (whole, parts)
    assert await pool.fetchval("SELECT count(*) FROM report_marks") == 0


def naive_clock(settings: BusinessHoursSettings, expected: list[naive.Conversation]) -> naive.Elapsed:
    days: set[date] = set()
    for one in expected:
        first, last = one.row["opened_at"].date(), one.row["closed_at"].date()
        days |= {first + timedelta(days=n) for n in range(-3, (last - first).days + 3)}
    quarters: set[int] = set()
    for day in days:
        quarters |= set(naive.quarters_of(settings.timezone, settings.ranges, settings.holidays, day, day))
    return naive.business(sorted(quarters))


def compare(
    expected: list[naive.Conversation],
    whole: list[dict[str, Any]],
    parts: list[dict[str, Any]],
    elapsed: naive.Elapsed,
    clock: str,
) -> None:
    rows, shares = {row["id"]: row for row in whole}, naive.grouped(parts, "conversation_id")
    assert rows.keys() == {one.row["id"] for one in expected}
    for one in expected:
        plain, plain_parts = naive.rows_of(one, elapsed)
        assert said(rows[one.row["id"]], plain, clock) == plain, one.row["id"]
        mine = {str(row["operator_id"]): row for row in shares.get(one.row["id"], [])}
        assert mine.keys() == plain_parts.keys(), one.row["id"]
        for operator, part in plain_parts.items():
            assert said(mine[operator], part, clock) == part, (one.row["id"], operator)


def said(row: dict[str, Any], names: dict[str, Any], clock: str) -> dict[str, Any]:
    """What a row says under these names on a clock; times in milliseconds."""
    found = {name: row[name + clock if name + clock in row else name] for name in names}
    return {name: naive.ms(value) if name in TIMES and value else value for name, value in found.items()}
