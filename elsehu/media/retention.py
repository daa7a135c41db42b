"""Files and objects that go: duplicates, files kept long enough, objects that belong to no file."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from elsehu.contracts.errors import Unavailable
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media.objects import delete_doomed

log = structlog.get_logger("elsehu.media")

Settled = Callable[[UnitOfWork, Sequence[UUID]], Awaitable[None]]
"""Tells of files that have another state now."""

BATCH = 100
UNCLAIMED_AGE = timedelta(days=1)
"""After how long an object that no file claims is swept: longer than any transfer takes."""


async def tell_nobody(uow: UnitOfWork, media_ids: Sequence[UUID]) -> None:
    """Be the `Settled` of who has nothing to tell."""


async def discard(uow: UnitOfWork, media_ids: Sequence[UUID]) -> None:
    """Delete the rows of files that nothing needs (a duplicate's, say).

    The next sweep deletes their bytes, and those of their renditions.
    """
    await uow.execute(_DISCARD, list(media_ids))


async def expire(kernel: Kernel, before: datetime, settled: Settled = tell_nobody) -> int:
    """Delete the bytes of all files made before an aware UTC time, mark them expired, and count them.

    `settled` is called with their ids in the transaction that marks them. Works in small transactions, and beside
    others that do the same. Raises Unavailable where the storage fails: what is marked by then is deleted by the
    next sweep.
    """
    expired = 0
    while files := await _expire_some(kernel, before, settled):
        expired += files
    return expired


async def _expire_some(kernel: Kernel, before: datetime, settled: Settled) -> int:
    async with kernel.db.transaction() as uow:
        old = [row["id"] for row in await uow.fetch(_OLD, before, BATCH)]
        objects = await uow.fetch(_EXPIRE, old)
        if old:
            await settled(uow, old)
    await delete_doomed(kernel, [(row["key"], row["storage"]) for row in objects])
    return len(old)


async def remove_orphans(kernel: Kernel, older_than: timedelta = UNCLAIMED_AGE) -> int:
    """Delete the objects that no file has claimed for `older_than`, and count them.

    That time must be longer than any transfer takes. Several processes may sweep at once. A storage that fails does
    not keep the others from being swept; then its Unavailable is raised. Nothing is forgotten, nor is what a storage
    keeps that is not enabled: that is logged.
    """
    await kernel.db.execute(_LEFT)
    storages = kernel.plugins.storages()
    swept, refusal = 0, None
    for storage in storages:
        try:
            swept += await _sweep(kernel, storage, older_than)
        except Unavailable as one:
            refusal = one
    for row in await kernel.db.fetch(_OUT_OF_REACH, older_than, storages):
        log.warning("objects_out_of_reach", storage=row["storage"], objects=row["objects"])
    if refusal:
        raise refusal
    return swept


async def _sweep(kernel: Kernel, storage: str, older_than: timedelta) -> int:
    swept = 0
    while doomed := await kernel.db.fetch(_DOOM, older_than, BATCH, storage):
        await delete_doomed(kernel, [(row["key"], storage) for row in doomed])
        swept += len(doomed)
    return swept


_DISCARD = """
WITH gone AS (DELETE FROM media_files WHERE id = ANY($1) RETURNING storage_key, storage)
INSERT INTO unclaimed_objects (key, storage, since, doomed)
SELECT storage_key, storage, '-infinity', true FROM gone WHERE storage_key IS NOT NULL
"""

_OLD = """
SELECT id FROM media_files
WHERE state = 'ready' AND created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

_EXPIRE = """
WITH old AS (
    SELECT id, storage_key, storage FROM media_files WHERE id = ANY($1)
), marked AS (
    UPDATE media_files SET state = 'expired', storage_key = NULL FROM old WHERE media_files.id = old.id
), renditions AS (
    DELETE FROM media_renditions WHERE media_id = ANY($1) RETURNING storage_key, storage
)
INSERT INTO unclaimed_objects (key, storage, since, doomed)
SELECT storage_key, storage, '-infinity', true
FROM (SELECT storage_key, storage FROM old UNION ALL SELECT storage_key, storage FROM renditions) AS gone
RETURNING key, storage
"""

_LEFT = """
WITH gone AS (DELETE FROM media_renditions WHERE media_id IS NULL RETURNING storage_key, storage)
INSERT INTO unclaimed_objects (key, storage, since, doomed)
SELECT storage_key, storage, '-infinity', true FROM gone
"""
"""Renditions whose file is gone: its row takes them along by leaving them without one."""

_DOOM = """
UPDATE unclaimed_objects SET doomed = true
WHERE key IN (
    SELECT key FROM unclaimed_objects
    WHERE since < now() - $1::interval AND storage = $3 ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING key
"""

_OUT_OF_REACH = """
SELECT storage, count(*) AS objects FROM unclaimed_objects
WHERE since < now() - $1::interval AND storage <> ALL($2::text[]) GROUP BY storage
"""
