"""One at a time: whoever connects, disconnects or checks an instance holds its lock, in whichever process.

They are PostgreSQL's session locks: a process that dies gives its locks back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from elsehu.contracts.errors import Conflict
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel

KEY = "hashtextextended('instance ' || $1::uuid, 0)"
WAIT = f"SELECT pg_advisory_lock({KEY})"
TRY = f"SELECT pg_try_advisory_lock({KEY})"
RELEASE = f"SELECT pg_advisory_unlock({KEY})"


@asynccontextmanager
async def exclusive(kernel: Kernel, instance_id: UUID) -> AsyncIterator[None]:
    """Hold the lock of an instance; wait for it as long as a provider may take. Raises Conflict (409) after that."""
    async with kernel.db.session() as connection:
        seconds = kernel.settings.instances.connect_timeout
        await connection.execute("SELECT set_config('lock_timeout', $1, false)", f"{int(seconds * 1000)}ms")
        try:
            await connection.execute(WAIT, instance_id)
        except asyncpg.LockNotAvailableError:
            raise Conflict("instance_busy", "Somebody else is connecting this number now. Try again shortly.") from None
        yield


class Locks:
    """Locks that one connection holds, many at a time. Taken or not at once, never waited for."""

    def __init__(self, connection: UnitOfWork) -> None:
        self._connection = connection
        self._one_statement = asyncio.Lock()

    @asynccontextmanager
    async def attempt(self, instance_id: UUID) -> AsyncIterator[bool]:
        """Try to hold the lock of an instance while the block runs; say whether it is held."""
        held = await self._run(TRY, instance_id)
        try:
            yield held
        finally:
            if held:
                await self._run(RELEASE, instance_id)

    async def _run(self, statement: str, instance_id: UUID) -> bool:
        async with self._one_statement:
            return bool(await self._connection.fetch_value(statement, instance_id))
