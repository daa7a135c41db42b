"""The tables of this slice, for Piccolo's migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="elsehu_messaging",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=table_finder(
        ["elsehu.messaging.tables", "elsehu.messaging.contacts.importing.tables"], exclude_imported=True
    ),
    migration_dependencies=[
        "elsehu.identity.piccolo_app",
        "elsehu.instances.piccolo_app",
        "elsehu.media.piccolo_app",
    ],
    commands=[],
)
