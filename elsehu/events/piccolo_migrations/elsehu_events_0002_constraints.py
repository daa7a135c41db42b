"""Constraints and indexes: the outbox's order of visibility."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "the outbox's order of visibility"

SQL = """
ALTER TABLE events ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
ALTER TABLE events ALTER COLUMN xid SET NOT NULL;
-- Reading what a snapshot has not seen (elsehu/events): xid >= its xmin.
CREATE INDEX events_xid ON events (xid);
-- Retention deletes by time.
CREATE INDEX events_at ON events USING brin (at);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_events", ID, DESCRIPTION, SQL)
