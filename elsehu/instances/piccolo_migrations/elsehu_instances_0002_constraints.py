"""Constraints: only the known statuses."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "only the known statuses"

SQL = """
ALTER TABLE service_instances ADD CONSTRAINT service_instances_status
    CHECK (status IN ('new', 'connecting', 'needs_pairing', 'connected', 'disconnected', 'blocked'));
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_instances", ID, DESCRIPTION, SQL)
