"""Connections go back to the pool as they are; what a session holds ends with its block."""

import asyncio

import pytest

from elsehu.db import Database, open_database
from elsehu.settings import DatabaseSettings

ONE_CONNECTION = DatabaseSettings(pool_min=1, pool_max=2)
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"


async def leave_behind(db: Database) -> None:
    async with db.session() as connection:
        await connection.execute("SELECT pg_advisory_lock(42), set_config('lock_timeout', '7ms', false)")
        assert await connection.fetch_value(HELD) == 1
        await asyncio.sleep(0)


async def nothing_is_left(db: Database) -> None:
    async with db.session() as connection:
        assert await connection.fetch_value(HELD) == 0
        assert await connection.fetch_value("SHOW lock_timeout") == "0"
        assert await connection.fetch_value("SELECT pg_try_advisory_lock(42)")


async def test_a_session_ends_with_its_block(database_url: str) -> None:
    async with open_database(database_url, ONE_CONNECTION) as db:
        await leave_behind(db)
        await nothing_is_left(db)


async def test_a_session_ends_when_its_block_raises(database_url: str) -> None:
    async with open_database(database_url, ONE_CONNECTION) as db:
        with pytest.raises(ZeroDivisionError):
            async with db.session() as connection:
                await connection.execute("SELECT pg_advisory_lock(42)")
                raise ZeroDivisionError
        await nothing_is_left(db)


async def test_a_session_ends_when_its_task_is_cancelled(database_url: str) -> None:
    async with open_database(database_url, ONE_CONNECTION) as db:
        holds = asyncio.Event()

        async def hold() -> None:
            async with db.session() as connection:
                await connection.execute("SELECT pg_advisory_lock(42)")
                holds.set()
                await connection.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(hold())
        await holds.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):  # PostgreSQL ends what it did for a connection that is gone in its own time
            while await db.fetch_value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42"):
                await asyncio.sleep(0.02)
        await nothing_is_left(db)


async def test_a_transaction_that_raises_leaves_no_transaction_open(database_url: str) -> None:
    async with open_database(database_url, DatabaseSettings(pool_min=1, pool_max=2)) as db:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as uow:
                await uow.execute("CREATE TABLE gone (id int)")
                raise ZeroDivisionError
        assert await db.fetch_value("SELECT to_regclass('gone')") is None
        assert await db.fetch_value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'") == 0
