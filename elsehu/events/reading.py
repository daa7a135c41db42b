"""Reading the outbox: what was committed since a position, without skipping a transaction that commits late."""

import hashlib
from datetime import datetime

import orjson
from asyncpg import Record

from elsehu.db import UnitOfWork
from elsehu.events import Event
from elsehu.events.positions import BEGINNING, Position

# One statement sees one snapshot: its rows and the snapshot that it answers belong together. A page ends with a
# whole transaction (WITH TIES), so that where it ends is a position again. Within a page the order is that of
# recording, which for changes of one row is the order of the changes.
READ = """
WITH fresh AS (
    (SELECT * FROM events WHERE xid >= $1 ORDER BY xid FETCH FIRST $3 ROWS WITH TIES)
    UNION ALL
    SELECT * FROM events WHERE xid = ANY($2::xid8[])
), page AS (
    SELECT * FROM fresh ORDER BY xid FETCH FIRST $3 ROWS WITH TIES
)
SELECT pg_current_snapshot() AS snapshot, page.*
FROM (VALUES (1)) AS always LEFT JOIN page ON true ORDER BY page.seq
"""

NOW = "SELECT pg_current_snapshot() AS snapshot, coalesce((SELECT max(xid) FROM events), '0') AS last"

COUNT = """
SELECT count(*) FROM (
    (SELECT 1 FROM events WHERE xid >= $1 LIMIT $3)
    UNION ALL
    (SELECT 1 FROM events WHERE xid = ANY($2::xid8[]) LIMIT $3)
) AS fresh
"""


async def read_since(uow: UnitOfWork, position: Position, limit: int) -> tuple[list[Event], Position]:
    """Return what was committed since `position`, at most about `limit` events, and the position after them.

    The last transaction comes whole, so there can be a few more than `limit`; fewer than `limit` mean that this
    was all. Run it outside of a transaction that has recorded events itself.
    """
    rows = await uow.fetch(READ, position.xmax, position.open, limit)
    target = Position.of_snapshot(rows[0]["snapshot"])
    found = [row for row in rows if row["seq"] is not None]
    last = max((row["xid"] for row in found), default=0)
    if len(found) < limit:
        last = max(last, position.xmax - 1)
    return [_event(row) for row in found], position.advanced(target, last)


async def now(uow: UnitOfWork) -> Position:
    """Return the position after everything that is committed."""
    row = await uow.fetch_row(NOW)
    assert row is not None
    return BEGINNING.advanced(Position.of_snapshot(row["snapshot"]), row["last"])


async def count_since(uow: UnitOfWork, position: Position, at_most: int) -> int:
    """Return how many events were committed since `position`; counts a little beyond `at_most` and no further."""
    counted: int = await uow.fetch_value(COUNT, position.xmax, position.open, at_most + 1)
    return counted


async def is_possible(uow: UnitOfWork, position: Position) -> bool:
    """Whether this database has come as far as `position`: else that is of another, or of one restored since."""
    snapshot = await uow.fetch_value("SELECT pg_current_snapshot()")
    return position.xmax <= Position.of_snapshot(snapshot).xmax


async def database_life(uow: UnitOfWork) -> str:
    """Return a short text that another database, or this one restored elsewhere, does not share."""
    row = await uow.fetch_row(
        "SELECT system_identifier, d.oid FROM pg_control_system(), pg_database d WHERE d.datname = current_database()"
    )
    assert row is not None
    return hashlib.sha256(f"{row['system_identifier']}/{row['oid']}".encode()).hexdigest()[:8]


async def purge(uow: UnitOfWork, before: datetime) -> None:
    """Delete the events from before a time (aware)."""
    await uow.execute("DELETE FROM events WHERE at < $1", before)


async def drop_foreign(uow: UnitOfWork) -> None:
    """Delete events with transaction ids from the future: they came with a dump of another database.

    Of this database's own life no statement can see one, so that nothing else is ever deleted.
    """
    await uow.execute("DELETE FROM events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())")


def _event(row: Record) -> Event:
    data = None if row["data"] is None else orjson.loads(row["data"])
    return Event(row["seq"], row["type"], row["subject_id"], row["conversation_id"], data, row["at"])
