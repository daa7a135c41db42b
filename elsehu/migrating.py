"""Migrations: what a migration file uses, and running those of the kernel and the enabled plugins."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder
from piccolo.engine.postgres import PostgresEngine


def run_sql(app_name: str, migration_id: str, description: str, sql: str) -> MigrationManager:
    """Return a migration that runs `sql` (several statements) in one transaction."""

    async def run() -> None:
        engine = engine_finder()
        assert isinstance(engine, PostgresEngine)
        transaction = engine.current_transaction.get()
        assert transaction is not None
        await transaction.connection.execute(sql)

    manager = MigrationManager(migration_id=migration_id, app_name=app_name, description=description)
    manager.add_raw(run)
    return manager
