"""Migrations: what a migration file uses, and running those of the kernel and the enabled plugins."""

import logging
import os
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import asyncpg

from elsehu.plugins import Plugins
from elsehu.schema import plugin_apps

if TYPE_CHECKING:
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager

MIGRATION_LOCK = 0x656C7365
"""The advisory lock that lets only one process migrate at a time."""


def run_sql(app_name: str, migration_id: str, description: str, sql: str) -> "MigrationManager":
    """Return a migration that runs `sql` (several statements) in one transaction."""
    # Here, not above: whoever imports elsehu.plugin shall not wait for what only migrations need.
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager
    from piccolo.engine import engine_finder
    from piccolo.engine.postgres import PostgresEngine

    async def run() -> None:
        engine = engine_finder()
        assert isinstance(engine, PostgresEngine)
        transaction = engine.current_transaction.get()
        assert transaction is not None
        await transaction.connection.execute(sql)

    manager = MigrationManager(migration_id=migration_id, app_name=app_name, description=description)
    manager.add_raw(run)
    return manager


def prepare_piccolo(database_url: str, plugins: Plugins | None) -> None:
    """Tell Piccolo, by its own environment names, where to migrate and which apps there are."""
    os.environ["DATABASE_URL"] = database_url
    os.environ["ELSEHU_PLUGIN_APPS"] = " ".join(plugin_apps(plugins))
    os.environ["PICCOLO_CONF"] = "elsehu.piccolo_conf"


async def migrate(database_url: str, plugins: Plugins | None = None) -> list[str]:
    """Run what has not been run yet, one process at a time. Returns the names of the apps, in their order.

    Piccolo finds its engine by import, so a process migrates one database only.
    """
    prepare_piccolo(database_url, plugins)
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        return await _forwards()
    finally:
        await connection.close()


async def _forwards() -> list[str]:
    from piccolo.apps.migrations.commands.base import BaseMigrationManager
    from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

    logging.getLogger("piccolo").setLevel(logging.WARNING)
    names = BaseMigrationManager().get_sorted_app_names()
    for name in names:
        with redirect_stdout(StringIO()):
            result = await ForwardsMigrationManager(app_name=name, migration_id="all").run()
        if not result.success:
            raise RuntimeError(f"migrating {name} failed: {result.message}")
    return list(names)
