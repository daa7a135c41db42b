"""Constraints and indexes: what the fetcher claims."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "what the fetcher claims"

SQL = """
CREATE INDEX media_files_to_fetch ON media_files (next_attempt_at) WHERE state = 'pending';
CREATE INDEX media_files_expiry ON media_files (expires_at) WHERE expires_at IS NOT NULL;
ALTER TABLE media_files ADD CONSTRAINT media_files_state CHECK (state IN ('pending', 'ready', 'failed', 'expired'));
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_media", ID, DESCRIPTION, SQL)
