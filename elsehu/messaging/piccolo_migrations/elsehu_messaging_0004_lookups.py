"""Indexes: templates by name and by the provider's id, and messages by the ids that they had before."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0004-lookups"
VERSION = "1.38.0"
DESCRIPTION = "templates by name, messages by former ids"

SQL = """
-- One template of a name and language for each number, and one for all numbers without templates of their own.
CREATE UNIQUE INDEX message_templates_name ON message_templates (instance_id, name, language) NULLS NOT DISTINCT
    WHERE archived_at IS NULL;
CREATE INDEX message_templates_external ON message_templates (external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX former_message_ids_one ON former_message_ids (instance_id, external_id);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
