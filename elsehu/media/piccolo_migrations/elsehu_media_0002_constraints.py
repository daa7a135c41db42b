"""Constraints and indexes: what the fetcher claims, what retention and the sweep look for."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "what the fetcher claims"

SQL = """
CREATE INDEX media_files_to_fetch ON media_files (next_attempt_at) WHERE state = 'pending';
CREATE INDEX media_files_kept ON media_files (created_at) WHERE state = 'ready';
ALTER TABLE media_files ADD CONSTRAINT media_files_state CHECK (state IN ('pending', 'ready', 'failed', 'expired'));
ALTER TABLE media_files ADD CONSTRAINT media_files_stored
    CHECK ((state = 'ready') = (storage_key IS NOT NULL) AND (state <> 'ready' OR (size, sha256) IS NOT NULL));
CREATE UNIQUE INDEX media_files_storage_key ON media_files (storage_key) WHERE storage_key IS NOT NULL;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_media", ID, DESCRIPTION, SQL)
