from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text
from piccolo.columns.indexes import IndexMethod

ID = "0002-told"
VERSION = "1.38.0"
DESCRIPTION = "what a job said of its last run"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="elsehu_jobs", description=DESCRIPTION)

    manager.add_column(
        table_class_name="JobRun",
        tablename="job_runs",
        column_name="told",
        db_column_name="told",
        column_class_name="Text",
        column_class=Text,
        params={
            "default": "",
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
