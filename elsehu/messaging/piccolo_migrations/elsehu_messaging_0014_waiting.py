"""Indexes: when the next message will be due that waits for another attempt, of a number and of a lane."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0014-waiting"
VERSION = "1.38.0"
DESCRIPTION = "when messages that wait for another attempt are due"

SQL = """
CREATE INDEX messages_waiting ON messages (instance_id, lane, next_attempt_at)
    WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
CREATE INDEX messages_lane_waiting ON messages (lane_id, next_attempt_at)
    WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
