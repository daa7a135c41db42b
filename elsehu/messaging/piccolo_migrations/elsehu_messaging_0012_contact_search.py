"""Plugins may search contacts as the API does."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0012-contact-search"
VERSION = "1.38.0"
DESCRIPTION = "plugins may search contacts"

SQL = """
CREATE OR REPLACE VIEW public_contacts AS
SELECT id, coalesce(nullif(name, ''), profile_name) AS name, phone, email, tags, custom, opted_out_at, unreachable_at,
       archived_at, merged_into, created_at, search_text
FROM contacts;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
