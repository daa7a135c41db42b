"""An index for the sweep: moving files from one storage to another may leave as many objects as there are files."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0005-sweep-index"
VERSION = "1.38.0"
DESCRIPTION = "what the sweep looks for"

SQL = """
CREATE INDEX unclaimed_objects_to_sweep ON unclaimed_objects (storage, since);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_media", ID, DESCRIPTION, SQL)
