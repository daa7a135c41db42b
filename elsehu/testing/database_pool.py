"""Databases that tests use one after the other: emptying one takes a tenth of the time of cloning one."""

import asyncio
from typing import TypeAlias

import asyncpg

from elsehu.testing import databases

LEAVING_SECONDS = 0.5
"""How long PostgreSQL may take to see that a connection was closed."""

FILLED = """
SELECT relname, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal) AS is_guarded
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
ORDER BY relname
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
SCHEMA = """
SELECT concat_ws(' ',
    (SELECT md5(string_agg(concat_ws(' ', oid, relname, relkind, relchecks, reloptions), ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT md5(string_agg(concat_ws(' ', oid, tgname, tgenabled), ',' ORDER BY oid)) FROM pg_trigger),
    (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM pg_constraint WHERE oid >= 16384),
    (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM pg_index WHERE indexrelid >= 16384),
    (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM pg_proc WHERE oid >= 16384),
    (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM pg_rewrite WHERE oid >= 16384),
    (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_db_role_setting))
"""
"""A line that differs once somebody changed a table, an index, a constraint, a trigger, a function or a view; what
TRUNCATE changes in the catalogs is not in it."""

Seeds: TypeAlias = dict[str, str]
"""The tables that a template's migrations filled, each with a digest of its rows."""


class DatabasePool:
    """The databases of one process's tests.

    A database that comes back is emptied if it is as its template made it, but for rows. If its schema was changed
    or if somebody is still connected to it, it is dropped: no test finds anything that another one left.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: dict[str, list[str]] = {}
        self._lent: dict[str, str] = {}
        self._as_made: dict[str, tuple[str, Seeds]] = {}

    async def lend(self, template: str = databases.TEMPLATE) -> str:
        """Return the URL of a database that is as `template`."""
        free = self._free.setdefault(template, [])
        url = free.pop() if free else await databases.clone_template(self._url, template)
        if template not in self._as_made:
            self._as_made[template] = await _look(url)
        self._lent[url] = template
        return url

    async def take_back(self, url: str) -> None:
        """Take back what was lent: empty it for the next test, or drop it."""
        template = self._lent.pop(url)
        if await _emptied(url, *self._as_made[template]):
            self._free[template].append(url)
        else:
            await databases.drop(url)


async def _look(url: str) -> tuple[str, Seeds]:
    connection = await asyncpg.connect(url)
    try:
        seeds = {row["relname"]: "" for row in await connection.fetch(FILLED)}
        return await connection.fetchval(SCHEMA), {name: await _digest(connection, name) for name in seeds}
    finally:
        await connection.close()


async def _emptied(url: str, schema: str, seeds: Seeds) -> bool:
    """Empty the database at `url` and say whether it is as its template made it."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    try:
        if not await _is_left_alone(connection) or await connection.fetchval(SCHEMA) != schema:
            return False
        await _empty(connection, seeds)
        return await connection.fetchval(SCHEMA) == schema and all(
            [await _digest(connection, name) == digest for name, digest in seeds.items()]
        )
    finally:
        await connection.close()


async def _is_left_alone(connection: asyncpg.Connection) -> bool:
    """Say whether nobody else is connected; whoever just closed a connection is waited for."""
    try:
        async with asyncio.timeout(LEAVING_SECONDS):
            while await connection.fetchval(OTHERS):  # noqa: ASYNC110  PostgreSQL tells nobody who leaves
                await asyncio.sleep(0.005)
    except TimeoutError:
        return False
    return True


async def _empty(connection: asyncpg.Connection, seeds: Seeds) -> None:
    filled = [row for row in await connection.fetch(FILLED) if row["relname"] not in seeds]
    names = ", ".join(f'"{row["relname"]}"' for row in filled)
    guarded = [f'ALTER TABLE "{row["relname"]}" %s TRIGGER USER;' for row in filled if row["is_guarded"]]
    if names:
        await connection.execute(
            "".join(one % "DISABLE" for one in guarded)
            + f"TRUNCATE {names} RESTART IDENTITY CASCADE;"
            + "".join(one % "ENABLE" for one in guarded)
        )


async def _digest(connection: asyncpg.Connection, table: str) -> str:
    found: str = await connection.fetchval(
        f"SELECT coalesce(md5(string_agg(one::text, ',' ORDER BY one::text)), '') FROM \"{table}\" AS one"  # noqa: S608
    )
    return found
