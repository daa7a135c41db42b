"""Indexes: an import's rows in their order, and those of them that failed."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0016-import-rows"
VERSION = "1.38.0"
DESCRIPTION = "an import's rows in their order"

SQL = """
CREATE INDEX contact_import_rows_order ON contact_import_rows (import_id, id);
CREATE INDEX contact_import_rows_failed ON contact_import_rows (import_id, id) WHERE problem IS NOT NULL;
ALTER TABLE contact_imports ADD CONSTRAINT contact_imports_status
    CHECK (status IN ('queued', 'running', 'finished', 'failed'));
-- Each row of a staged import comes to exactly one thing.
ALTER TABLE contact_imports ADD CONSTRAINT contact_imports_adds_up CHECK (
    created + updated + skipped + failed <= coalesce(total, 0)
    AND (status <> 'finished' OR created + updated + skipped + failed = total)
);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
