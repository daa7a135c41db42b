"""A plugin's tables: made by `elsehu migrate`, there while the plugin is switched off, and its own again after that."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest

from elsehu.embedded import EmbeddedServices

Run = Callable[..., subprocess.CompletedProcess[str]]

FILES = {
    "acme_lofts/__init__.py": """
        import click

        from elsehu.plugin import Kernel, PluginInfo, Runner, hookimpl
        from acme_lofts.tables import Loft


        @hookimpl
        def plugin_info():
            return PluginInfo("lofts", "Keeps lofts")


        @hookimpl
        def register_tables():
            return ["acme_lofts.piccolo_app"]


        @hookimpl
        def register_commands():
            return [lofts]


        @click.command("lofts")
        @click.argument("name", required=False)
        @click.pass_obj
        def lofts(runner: Runner, name: str | None) -> None:
            async def work(kernel: Kernel) -> list[dict]:
                async with kernel.db.transaction() as uow:
                    if name:
                        await uow.run(Loft.insert(Loft(name=name)))
                    return await uow.run(Loft.select(Loft.name, Loft.pigeons).order_by(Loft.name))

            for loft in runner.run(work):
                click.echo(f"{loft['name']}: {loft['pigeons']}")
    """,
    "acme_lofts/tables.py": """
        from piccolo.columns import UUID, Integer, Varchar
        from piccolo.table import Table

        from elsehu.plugin import DIALECT, new_id


        class Loft(Table, db=DIALECT, tablename="lofts"):
            id = UUID(primary_key=True, default=new_id)
            name = Varchar(length=60)
            pigeons = Integer(default=3)
    """,
    "acme_lofts/piccolo_app.py": """
        from pathlib import Path

        from piccolo.conf.apps import AppConfig, table_finder

        APP_CONFIG = AppConfig(
            app_name="lofts",
            migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
            table_classes=table_finder(["acme_lofts.tables"], exclude_imported=True),
            migration_dependencies=[],
            commands=[],
        )
    """,
    "acme_lofts/piccolo_migrations/__init__.py": "",
    "acme_lofts/piccolo_migrations/lofts_0001_tables.py": '''
        from elsehu.plugin import run_sql

        ID = "0001-tables"
        VERSION = "1.38.0"
        DESCRIPTION = "lofts"

        SQL = """
        CREATE TABLE lofts (id uuid PRIMARY KEY, name varchar(60) NOT NULL UNIQUE, pigeons integer NOT NULL);
        CREATE INDEX lofts_pigeons ON lofts (pigeons);
        """


        async def forwards():
            return run_sql("lofts", ID, DESCRIPTION, SQL)
    ''',
    "acme_lofts-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme_lofts\nVersion: 1.0\n",
    "acme_lofts-1.0.dist-info/entry_points.txt": "[elsehu]\nlofts = acme_lofts\n",
}


@pytest.fixture
def enable(tmp_path: Path) -> Callable[..., None]:
    """Return a function that writes which plugins are enabled."""

    def write(*names: str) -> None:
        listed = ", ".join(f'"{name}"' for name in (*names, "storage_local"))
        (tmp_path / "elsehu.toml").write_text(f"[plugins]\nenabled = [{listed}]\n")

    return write


@pytest.fixture
def environment(services: EmbeddedServices, database_url: str) -> dict[str, str]:
    """Name a database that has the kernel's tables."""
    return {"DATABASE_URL": database_url, "REDIS_URL": services.redis_url, "ELSEHU_SECRET_KEY": "a key"}


def test_they_stay_while_the_plugin_is_away(
    run: Run, tmp_path: Path, environment: dict[str, str], enable: Callable[..., None]
) -> None:
    for name, code in FILES.items():
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(code))
    enable("lofts")
    lacking = run("lofts", "north", **environment)
    assert lacking.returncode == 1
    assert "lofts: 0001-tables" in lacking.stderr
    assert "Run `elsehu migrate`" in lacking.stderr
    assert "done: lofts: 0001-tables" in run("migrate", **environment).stdout
    assert run("lofts", "north", **environment).stdout == "north: 3\n"

    enable()
    gone = run("lofts", **environment)
    assert gone.returncode == 2
    assert "No such command" in gone.stderr
    assert run("migrate", **environment).stdout == "The database is up to date.\n"
    assert "admin@localhost" in run("user", "list", **environment).stdout
    assert asyncio.run(count(environment["DATABASE_URL"])) == 1

    enable("lofts")
    assert run("lofts", "south", **environment).stdout == "north: 3\nsouth: 3\n"


async def count(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        counted: int = await connection.fetchval("SELECT count(*) FROM lofts")
        return counted
    finally:
        await connection.close()
