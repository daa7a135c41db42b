"""Keeping the rows that reports are made of right: after each closing, reopening and late message; anew, if need be.

Triggers mark conversations whose rows are no longer right, in the transaction that makes them so. A job works the marks
off, and whoever reads a report works off what is left: a report is exact whenever it is asked for. Rows that were
worked out by other business hours are made again when they are read on that clock, or by the job.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from elsehu.db import Database, UnitOfWork
from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.facts import Values, facts_of
from elsehu.reporting.reading import read

CHUNK = 100
"""So many at a time: a few hundredths of a second, in which nothing else happens in the process."""

LOCK_KEY = 0x7265706F
LOCK = f"SELECT pg_advisory_xact_lock({LOCK_KEY})"
ANY_MARKS = "SELECT EXISTS (SELECT 1 FROM report_marks)"
MARKS = "SELECT id, conversation_id FROM report_marks ORDER BY id LIMIT $1"
UNMARK = "DELETE FROM report_marks WHERE id = ANY($1::bigint[])"
OUTDATED = """
SELECT id FROM report_conversations
WHERE (hours < $1 OR hours > $1) AND closed_at >= coalesce($2::timestamptz, '-infinity')
  AND closed_at < coalesce($3::timestamptz, 'infinity')
LIMIT $4
"""
FORGET = "DELETE FROM report_conversations WHERE id = ANY($1::uuid[])"
FORGET_ALL = "TRUNCATE report_conversations, report_parts, report_marks"
MARK_ALL = """
INSERT INTO report_marks (conversation_id)
SELECT id FROM conversations WHERE status = 'closed' AND merged_into IS NULL ORDER BY closed_at, id
"""


async def catch_up(db: Database, hours: BusinessHours) -> None:
    """Work off all marks: from then on the rows are what the history is, as of the beginning of this call."""
    while await db.fetch_value(ANY_MARKS):
        async with _alone(db) as uow:
            marks = await uow.fetch(MARKS, CHUNK)
            await _make(uow, list({row["conversation_id"] for row in marks}), hours)
            await uow.execute(UNMARK, [row["id"] for row in marks])
        await asyncio.sleep(0)


async def update_hours(
    db: Database, hours: BusinessHours, start: datetime | None = None, end: datetime | None = None
) -> None:
    """Have the rows of what was closed between two times (None: whenever) be by these business hours."""
    while await db.fetch(OUTDATED, hours.version, start, end, 1):
        async with _alone(db) as uow:
            outdated = await uow.fetch(OUTDATED, hours.version, start, end, CHUNK)
            await _make(uow, [row["id"] for row in outdated], hours)
        await asyncio.sleep(0)


async def rebuild(db: Database, hours: BusinessHours) -> AsyncIterator[int]:
    """Drop all rows and make them again, yielding how many conversations are left to do."""
    async with _alone(db) as uow:
        await uow.execute(FORGET_ALL)
        await uow.execute(MARK_ALL)
    while left := await db.fetch_value("SELECT count(*) FROM report_marks"):
        yield left
        async with _alone(db) as uow:
            marks = await uow.fetch(MARKS, 10 * CHUNK)
            await _make(uow, list({row["conversation_id"] for row in marks}), hours)
            await uow.execute(UNMARK, [row["id"] for row in marks])


@asynccontextmanager
async def _alone(db: Database) -> AsyncIterator[UnitOfWork]:
    """Open a unit of work beside which no other makes rows: a second one waits, and finds them made."""
    async with db.transaction() as uow:
        await uow.execute(LOCK)
        yield uow


async def _make(uow: UnitOfWork, ids: Sequence[UUID], hours: BusinessHours) -> None:
    """Make the rows of conversations; those that are not finished have none."""
    made = [facts_of(one, hours) for one in await read(uow, ids)]
    await uow.execute(FORGET, ids)
    await _insert(uow, "report_conversations", [conversation for conversation, _ in made])
    await _insert(uow, "report_parts", [part for _, parts in made for part in parts])


async def _insert(uow: UnitOfWork, table: str, rows: Sequence[Values]) -> None:
    if rows:
        columns = list(rows[0])
        records = [[row[name] for name in columns] for row in rows]
        await uow.connection.copy_records_to_table(table, records=records, columns=columns)
