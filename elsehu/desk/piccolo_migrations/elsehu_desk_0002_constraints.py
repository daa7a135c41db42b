"""Constraints and indexes: names and timelines."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "names and timelines"

SQL = """
CREATE UNIQUE INDEX tabulations_name ON tabulations (lower(name), lower("group"));
CREATE INDEX conversation_timeline_of ON conversation_timeline (conversation_id, id DESC);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_desk", ID, DESCRIPTION, SQL)
