"""Models and migrations agree, and what is told of migrations without Piccolo is what Piccolo would do."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from elsehu.schema import KERNEL_APPS, migrations_of, pending

ROOT = Path(__file__).parents[1]
NEW = """
from piccolo.apps.migrations.commands.new import new
import asyncio
asyncio.run(new(app_name="all", auto=True, auto_input="y"))
"""


def test_models_and_migrations_agree(database_url: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "elsehu", tmp_path / "elsehu", ignore=shutil.ignore_patterns("__pycache__"))
    before = {file for file in tmp_path.rglob("*.py") if "piccolo_migrations" in file.parts}
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "PICCOLO_CONF": "elsehu.piccolo_conf",
        "PYTHONPATH": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", NEW], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    after = {file for file in tmp_path.rglob("*.py") if "piccolo_migrations" in file.parts}
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall("No changes detected", ended.stdout)) == len(KERNEL_APPS), ended.stdout
    assert after == before


async def test_a_migrated_database_lacks_nothing(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await pending(connection, KERNEL_APPS) == []
        await connection.execute("DELETE FROM migration WHERE app_name = 'elsehu_media' AND name = '0002-constraints'")
        assert await pending(connection, KERNEL_APPS) == ["elsehu_media: 0002-constraints"]
        await connection.execute("DROP TABLE migration")
        assert len(await pending(connection, KERNEL_APPS)) == sum(len(migrations_of(app)) for app in KERNEL_APPS)
    finally:
        await connection.close()


def test_an_app_whose_files_do_not_tell_always_lacks_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "acme_strange"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "piccolo_app.py").write_text("APP_CONFIG = object()")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert migrations_of("acme_strange.piccolo_app") == [("acme_strange.piccolo_app", "?")]
    assert migrations_of("acme_strange.nothing") == [("acme_strange.nothing", "?")]


def test_two_processes_can_migrate_at_once(services: object, database_url: str) -> None:
    async def empty() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(empty())
    code = "import asyncio, sys; from elsehu.migrating import migrate; asyncio.run(migrate(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", code, database_url]) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
