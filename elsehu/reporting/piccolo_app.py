"""The tables of this slice, for Piccolo's migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="elsehu_reporting",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=table_finder(["elsehu.reporting.tables"], exclude_imported=True),
    migration_dependencies=["elsehu.desk.piccolo_app"],
    commands=[],
)
