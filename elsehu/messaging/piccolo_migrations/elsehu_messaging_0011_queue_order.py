"""Indexes: each number's queue in its order, and the list of a team's conversations."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0011-queue-order"
VERSION = "1.38.0"
DESCRIPTION = "queues in their order, lists of teams"

SQL = """
CREATE INDEX conversations_queue ON conversations (instance_id, (coalesce(queued_at, opened_at)), id)
    WHERE status = 'queued';
CREATE INDEX conversations_team ON conversations (team_id, status, last_activity_at DESC, id DESC)
    WHERE team_id IS NOT NULL;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
