"""Files and objects that go: duplicates, files kept long enough, objects that belong to no file."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media.objects import delete_doomed

BATCH = 100
UNCLAIMED_AGE = timedelta(days=1)
"""After how long an object that no file claims is swept: longer than any transfer takes."""


async def discard(uow: UnitOfWork, media_ids: Sequence[UUID]) -> None:
    """Delete the rows of files that nothing needs (a duplicate's, say); the next sweep deletes their bytes."""
    await uow.execute(_DISCARD, list(media_ids))


async def expire(kernel: Kernel, before: datetime) -> int:
    """Delete the bytes of all files made before an aware UTC time, mark them expired, and count them.

    Works in small transactions, and beside others that do the same. Raises Unavailable where the storage
    fails: what is marked by then is deleted by the next sweep.
    """
    expired = 0
    while objects := await kernel.db.fetch(_EXPIRE, before, BATCH):
        await delete_doomed(kernel, [(row["key"], row["storage"]) for row in objects])
        expired += len(objects)
    return expired


async def remove_orphans(kernel: Kernel, older_than: timedelta = UNCLAIMED_AGE) -> int:
    """Delete the objects that no file has claimed for `older_than`, and count them.

    That time must be longer than any transfer takes. Several processes may sweep at once. Raises
    Unavailable where the storage fails; nothing is forgotten.
    """
    swept = 0
    while doomed := await kernel.db.fetch(_DOOM, older_than, BATCH):
        await delete_doomed(kernel, [(row["key"], row["storage"]) for row in doomed])
        swept += len(doomed)
    return swept


_DISCARD = """
WITH gone AS (DELETE FROM media_files WHERE id = ANY($1) RETURNING storage_key, storage)
INSERT INTO unclaimed_objects (key, storage, since, doomed)
SELECT storage_key, storage, '-infinity', true FROM gone WHERE storage_key IS NOT NULL
"""

_EXPIRE = """
WITH old AS (
    SELECT id, storage_key, storage FROM media_files
    WHERE state = 'ready' AND created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE media_files SET state = 'expired', storage_key = NULL FROM old WHERE media_files.id = old.id
)
INSERT INTO unclaimed_objects (key, storage, since, doomed)
SELECT storage_key, storage, '-infinity', true FROM old
RETURNING key, storage
"""

_DOOM = """
UPDATE unclaimed_objects SET doomed = true
WHERE key IN (
    SELECT key FROM unclaimed_objects
    WHERE since < now() - $1::interval ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING key, storage
"""
