"""`elsehu migrate` makes a database of one's own ready: for those who run the processes apart."""

import asyncio
import subprocess
from collections.abc import Callable

import asyncpg
import pytest

from elsehu.embedded import EmbeddedServices

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(services: EmbeddedServices, database_url: str) -> dict[str, str]:
    """Name an empty database."""

    async def empty() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(empty())
    return {"DATABASE_URL": database_url, "REDIS_URL": services.redis_url, "ELSEHU_SECRET_KEY": "a key"}


def test_it_makes_tables_and_an_admin_once(run: Run, environment: dict[str, str]) -> None:
    before = run("migrate", "--check", **environment)
    assert before.returncode == 1
    assert "elsehu_identity: 0001-tables" in before.stderr
    refused = run("user", "list", **environment)
    assert refused.returncode == 1
    assert "Run `elsehu migrate`" in refused.stderr

    first = run("migrate", **environment)
    assert first.returncode == 0, first.stderr
    assert "done: elsehu_identity: 0001-tables" in first.stdout
    assert "The first ADMIN is admin@localhost with the password " in first.stdout
    again = run("migrate", **environment)
    assert again.stdout == "The database is up to date.\n"
    assert run("migrate", "--check", **environment).returncode == 0
    assert "admin@localhost" in run("user", "list", **environment).stdout


def test_the_admin_is_who_the_environment_says(run: Run, environment: dict[str, str]) -> None:
    who = {"ELSEHU_ADMIN_EMAIL": "ana@example.com", "ELSEHU_ADMIN_PASSWORD": "correct horse battery"}
    ended = run("migrate", **environment, **who)
    assert "The first ADMIN is ana@example.com, with the password that you set." in ended.stdout
    assert "correct horse" not in ended.stdout + ended.stderr


def test_an_admin_that_cannot_be_is_refused_and_can_be_mended(run: Run, environment: dict[str, str]) -> None:
    refused = run("migrate", **environment, ELSEHU_ADMIN_PASSWORD="short")
    assert refused.returncode == 2
    assert "ELSEHU_ADMIN_PASSWORD" in refused.stderr
    assert run("migrate", **environment).returncode == 0
