"""The tables of the HTTP edge, for Piccolo's migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="elsehu_http",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=table_finder(["elsehu.http.tables"], exclude_imported=True),
    migration_dependencies=[],
    commands=[],
)
