"""Transactions that other transactions of the same moment may get in the way of: tried again until they go through."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import structlog

from elsehu.contracts.inbound import Item
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.messaging.inbound import attachments
from elsehu.messaging.inbound.applying import apply
from elsehu.messaging.inbound.attachments import Files
from elsehu.messaging.inbound.batch import Batch
from elsehu.messaging.inbound.locks import AddressesChanged, NeedsLocks
from elsehu.messaging.inbound.threads import ClosedMeanwhile

log = structlog.get_logger("elsehu.messaging")

TRIES = 5
PASSING = (
    ClosedMeanwhile,
    AddressesChanged,
    NeedsLocks,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
)
"""What another transaction at the same moment can cause: trying again gets past it."""

Done = TypeVar("Done")


async def retrying(kernel: Kernel, write: Callable[[UnitOfWork, frozenset[int]], Awaitable[Done]]) -> Done:
    """Commit `write`, again where something passing was in the way; it is told what locks to hold besides its own.

    Raises what `write` raises for any other reason, and what is still in the way after TRIES tries.
    """
    more_locks: frozenset[int] = frozenset()
    for attempt in range(1, TRIES + 1):
        try:
            async with kernel.db.transaction() as uow:
                return await write(uow, more_locks)
        except PASSING as error:
            if attempt == TRIES:
                raise
            if isinstance(error, NeedsLocks):
                more_locks = more_locks.union(error.keys)
            log.info("transaction_tries_again", attempt=attempt, error=type(error).__name__)
    raise RuntimeError("unreachable")


async def apply_with_files(
    uow: UnitOfWork, kernel: Kernel, batch: Batch, items: Sequence[Item], files: Files, *, more_locks: frozenset[int]
) -> None:
    """Apply the `batch` of `items` with the files of its messages; those of messages that were there are dropped."""
    await attachments.create(uow, files, items)
    new = await apply(uow, batch, kernel.now(), more_locks)
    used = {media_id for place in new if (media_id := batch.messages[place].media_id)}
    await attachments.discard_unused(uow, files, items, used)


async def commit_batch(kernel: Kernel, make: Callable[[], Batch]) -> None:
    """Apply a batch in a transaction of its own; `make` builds it anew for each try."""

    async def write(uow: UnitOfWork, more_locks: frozenset[int]) -> None:
        await apply(uow, make(), kernel.now(), more_locks)

    await retrying(kernel, write)
