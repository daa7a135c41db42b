"""PostgreSQL: one pool a process, explicit units of work, and Piccolo queries on the connection they are given.

Tables have no engine of their own (`DIALECT` only writes SQL), so a query cannot run by accident outside
the transaction that its caller holds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import asyncpg
from piccolo.engine.postgres import PostgresEngine
from piccolo.query.base import Query

from elsehu.settings import DatabaseSettings

AfterCommit = Callable[[], Awaitable[None]]
Row: TypeAlias = asyncpg.Record

CONNECTION_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # releasing a connection that broke in the middle of a query
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""What is raised while PostgreSQL is away or restarting: nothing was committed, trying again may help.

InternalClientError is what asyncpg says when a connection is cut in the very moment in which it is used.
"""


class Dialect(PostgresEngine):
    """Lets Piccolo write PostgreSQL without a connection of its own."""

    def __init__(self) -> None:
        self.engine_type = "postgres"
        self.log_queries = self.log_responses = False

    async def run_querystring(self, *_: Any, **__: Any) -> Any:
        """Refuse: queries run through `UnitOfWork.run` or `Database.run`."""
        raise RuntimeError("run this query through a unit of work: `await uow.run(query)`")

    run_ddl = run_querystring


DIALECT = Dialect()
"""What every table names as its `db`: stateless, so no table can reach a database by itself."""


async def run_query(connection: asyncpg.Connection, query: Query[Any, Any]) -> Any:
    """Run a Piccolo `query` on `connection` and return what Piccolo would return for it."""
    answer: Any = []
    for querystring in query.querystrings:
        sql, arguments = querystring.compile_string()
        rows = await connection.fetch(sql, *arguments)
        answer = await query._process_results([dict(row) for row in rows])
    return answer


@dataclass(slots=True)
class UnitOfWork:
    """One open transaction. Writers take it as their first argument; only edges open one.

    `connection` is for SQL that is written out. No HTTP, hooks, Redis, `gather` or tasks inside it: what
    must follow goes to `after_commit`; who should look at what was committed is woken by `signal`.
    """

    connection: asyncpg.Connection
    _after: list[AfterCommit] = field(default_factory=list)
    _signals: set[str] = field(default_factory=set)

    async def run(self, query: Query[Any, Any]) -> Any:
        """Run a Piccolo query in this transaction."""
        return await run_query(self.connection, query)

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        """Run SQL and return its rows."""
        return cast(list[Row], await self.connection.fetch(sql, *arguments))

    async def fetch_row(self, sql: str, *arguments: Any) -> Row | None:
        """Run SQL and return its first row, or None."""
        return cast("Row | None", await self.connection.fetchrow(sql, *arguments))

    async def fetch_value(self, sql: str, *arguments: Any) -> Any:
        """Run SQL and return the first column of its first row, or None."""
        return await self.connection.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        """Run SQL and return PostgreSQL's command tag."""
        return cast(str, await self.connection.execute(sql, *arguments))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what happens inside if it raises."""
        async with self.connection.transaction():
            yield

    def after_commit(self, action: AfterCommit) -> None:
        """Have `action` awaited once the transaction is committed; not at all if it is not."""
        self._after.append(action)

    def signal(self, name: str) -> None:
        """Emit the signal `name` (elsehu/signals.py) once the transaction is committed."""
        self._signals.add(name)


FORGET = "SELECT pg_advisory_unlock_all(); RESET ALL"


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is given back as it is: nobody leaves anything behind in it but in `Database.session`."""

    def get_reset_query(self) -> str:
        """Return what is run when a connection goes back to the pool: nothing, which saves each use a round trip."""
        return ""


class Database:
    """The pool of one process. It connects anew by itself after PostgreSQL was away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.emit: Callable[[Iterable[str]], None] = lambda _names: None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """Open a unit of work: committed at the end of the block, rolled back if it raises."""
        async with self.pool.acquire() as connection:
            uow = UnitOfWork(connection)
            async with connection.transaction():
                yield uow
        if uow._signals:
            self.emit(uow._signals)
        for action in uow._after:
            await action()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[UnitOfWork]:
        """Open a connection for reading, each statement on its own."""
        async with self.pool.acquire() as connection:
            yield UnitOfWork(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[UnitOfWork]:
        """Open a connection for session locks and settings: they end with the block, whatever happens in it."""
        async with self.pool.acquire() as connection:
            try:
                yield UnitOfWork(connection)
            finally:
                await _forget(connection)

    async def run(self, query: Query[Any, Any]) -> Any:
        """Run one Piccolo query on its own."""
        async with self.pool.acquire() as connection:
            return await run_query(connection, query)

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        """Run one SQL statement on its own and return its rows."""
        return cast(list[Row], await self.pool.fetch(sql, *arguments))

    async def fetch_row(self, sql: str, *arguments: Any) -> Row | None:
        """Run one SQL statement on its own and return its first row, or None."""
        return cast("Row | None", await self.pool.fetchrow(sql, *arguments))

    async def fetch_value(self, sql: str, *arguments: Any) -> Any:
        """Run one SQL statement on its own and return the first column of its first row, or None."""
        return await self.pool.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        """Run one SQL statement on its own and return PostgreSQL's command tag."""
        return cast(str, await self.pool.execute(sql, *arguments))


async def _forget(connection: asyncpg.Connection) -> None:
    """End what a session holds; where that cannot be done, end the session."""
    try:
        await connection.execute(FORGET)
    except BaseException:
        connection.terminate()
        raise


@asynccontextmanager
async def open_database(url: str, settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Open the pool at `url`. Raises one of CONNECTION_LOST if PostgreSQL cannot be reached."""
    pool = await asyncpg.create_pool(
        url,
        min_size=min(settings.pool_min, settings.pool_max),
        max_size=settings.pool_max,
        connection_class=Connection,
        command_timeout=settings.statement_timeout,
        server_settings={"application_name": "elsehu", "timezone": "UTC"},
    )
    try:
        yield Database(pool)
    finally:
        await _close(pool)


async def _close(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()
