"""Plugins may find contacts by any of their phones."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0013-phones"
VERSION = "1.38.0"
DESCRIPTION = "plugins may find contacts by phone"

SQL = """
-- Canonical digits; each is one contact's. Looked up by phone, this is one step in the index of addresses.
CREATE VIEW public_phones AS
SELECT value AS phone, contact_id FROM contact_identities WHERE kind = 'phone' AND scope = '';
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
