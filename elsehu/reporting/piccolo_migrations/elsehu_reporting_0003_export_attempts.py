from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import SmallInt
from piccolo.columns.indexes import IndexMethod

ID = "0003-export-attempts"
VERSION = "1.38.0"
DESCRIPTION = "which runner speaks for an export"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="elsehu_reporting", description=DESCRIPTION)

    manager.add_column(
        table_class_name="ReportExport",
        tablename="report_exports",
        column_name="attempts",
        db_column_name="attempts",
        column_class_name="SmallInt",
        column_class=SmallInt,
        params={
            "default": 0,
            "null": False,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    return manager
