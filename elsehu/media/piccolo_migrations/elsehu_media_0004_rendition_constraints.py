"""Constraints of renditions: one of a purpose for a file, and what the sweep looks for."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0004-rendition-constraints"
VERSION = "1.38.0"
DESCRIPTION = "one rendition of a purpose for a file"

SQL = """
CREATE UNIQUE INDEX media_renditions_of_file ON media_renditions (media_id, purpose);
CREATE UNIQUE INDEX media_renditions_storage_key ON media_renditions (storage_key);
CREATE INDEX media_renditions_left ON media_renditions (id) WHERE media_id IS NULL;
ALTER TABLE media_renditions ADD CONSTRAINT media_renditions_purpose CHECK (purpose IN ('thumbnail', 'voice'));
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_media", ID, DESCRIPTION, SQL)
