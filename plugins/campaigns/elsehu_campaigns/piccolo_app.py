"""The tables of this plugin, for Piccolo's migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="elsehu_campaigns",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=table_finder(["elsehu_campaigns.tables"], exclude_imported=True),
    migration_dependencies=["elsehu.messaging.piccolo_app"],
    commands=[],
)
