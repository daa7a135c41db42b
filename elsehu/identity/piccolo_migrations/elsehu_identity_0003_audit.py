"""Indexes: the audit log by what was done, and by what it was done to."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0003-audit"
VERSION = "1.38.0"
DESCRIPTION = "the audit log by action and subject"

SQL = """
CREATE INDEX audit_log_action ON audit_log (action, id DESC);
CREATE INDEX audit_log_subject ON audit_log (subject, id DESC);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_identity", ID, DESCRIPTION, SQL)
