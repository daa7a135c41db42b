"""A test finds nothing that another one left: its database was emptied, or it is another one."""

import asyncpg
import pytest

from elsehu.embedded import EmbeddedServices
from elsehu.testing import databases
from elsehu.testing.database_pool import DatabasePool

TEAMS = "INSERT INTO teams (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, 3) AS n"
AUDITED = "INSERT INTO audit_log (at, action) VALUES (now(), 'user.created') RETURNING id"


@pytest.fixture(scope="module")
def pool(services: EmbeddedServices) -> DatabasePool:
    return DatabasePool(services.database_url)


@pytest.fixture
async def lent(pool: DatabasePool) -> str:
    return await pool.lend()


async def next_lent(pool: DatabasePool) -> str:
    """Return what the next test would get, and give it back for that."""
    url = await pool.lend()
    await pool.take_back(url)
    return url


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def count(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        found: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
        return found
    finally:
        await connection.close()


async def test_one_that_has_only_rows_is_emptied_and_lent_again(pool: DatabasePool, lent: str) -> None:
    migrations = await count(lent, "migration")
    await run(lent, TEAMS, AUDITED)
    await pool.take_back(lent)
    assert await next_lent(pool) == lent
    assert [await count(lent, table) for table in ("teams", "audit_log")] == [0, 0]
    assert await count(lent, "migration") == migrations
    with pytest.raises(asyncpg.RaiseError, match="only grows"):
        await run(lent, AUDITED, "DELETE FROM audit_log")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE more (id int)",
        "DROP TABLE team_members",
        "ALTER TABLE teams ADD COLUMN more int",
        "ALTER TABLE teams ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE teams ADD CONSTRAINT short CHECK (length(name) < 9)",
        "CREATE INDEX more ON teams (name)",
        "CREATE SEQUENCE more",
        "CREATE VIEW more AS SELECT 1",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE audit_log DISABLE TRIGGER USER",
        "CREATE SCHEMA more",
        "DELETE FROM migration WHERE app_name = 'elsehu_media'",
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET timezone TO ''Asia/Tokyo'''; END $$",
    ],
)
async def test_one_that_is_not_as_it_was_is_dropped(pool: DatabasePool, lent: str, change: str) -> None:
    await run(lent, change)
    await pool.take_back(lent)
    assert await next_lent(pool) != lent


async def test_one_to_which_somebody_is_connected_is_dropped(pool: DatabasePool, lent: str) -> None:
    somebody = await asyncpg.connect(lent)
    await pool.take_back(lent)
    assert await next_lent(pool) != lent
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await somebody.fetchval("SELECT 1")


async def test_one_that_is_gone_is_not_lent_again(pool: DatabasePool, lent: str) -> None:
    await databases.drop(lent)
    await pool.take_back(lent)
    assert await next_lent(pool) != lent
