from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Timestamptz
from piccolo.columns.indexes import IndexMethod

ID = "0006-sent-again"
VERSION = "1.38.0"
DESCRIPTION = "when the provider said anew that a message was sent"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="elsehu_messaging", description=DESCRIPTION)

    manager.add_column(
        table_class_name="Message",
        tablename="messages",
        column_name="sent_again_at",
        db_column_name="sent_again_at",
        column_class_name="Timestamptz",
        column_class=Timestamptz,
        params={
            "default": None,
            "null": True,
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
