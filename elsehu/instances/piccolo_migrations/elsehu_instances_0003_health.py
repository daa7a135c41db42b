from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import JSONB
from piccolo.columns.indexes import IndexMethod

ID = "0003-health"
VERSION = "1.38.0"
DESCRIPTION = "what providers say of a number beyond its status"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="elsehu_instances", description=DESCRIPTION)

    manager.add_column(
        table_class_name="ServiceInstance",
        tablename="service_instances",
        column_name="health",
        db_column_name="health",
        column_class_name="JSONB",
        column_class=JSONB,
        params={
            "default": "{}",
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
