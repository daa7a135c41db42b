"""The same file in another form, made on demand and kept beside it."""

from enum import StrEnum
from uuid import UUID

from elsehu.contracts.errors import Gone
from elsehu.db import Row
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.media.objects import StoredMedia, claim, drop
from elsehu.media.queries import find_rendition


class Purpose(StrEnum):
    """What a rendition is for."""

    THUMBNAIL = "thumbnail"
    VOICE = "voice"


async def keep(kernel: Kernel, media_id: UUID, purpose: Purpose, stored: StoredMedia) -> Row:
    """Make a stored object the rendition of a file, unless somebody else was faster, and return which it is.

    Raises Gone where the file was deleted meanwhile, and Unavailable as `claim`.
    """
    if not await _written(kernel, media_id, purpose, stored):
        await drop(kernel, stored)
    kept = await find_rendition(kernel.db, media_id, purpose)
    if kept is None:
        raise Gone("media_expired", "The file was deleted just now.")
    return kept


async def _written(kernel: Kernel, media_id: UUID, purpose: Purpose, stored: StoredMedia) -> bool:
    async with kernel.db.transaction() as uow:
        written = await uow.fetch_value(
            _INSERT,
            new_id(),
            media_id,
            purpose,
            stored.mime_type,
            stored.size,
            stored.sha256,
            stored.key,
            stored.storage,
        )
        if written:
            await claim(uow, [stored.key])
        return bool(written)


_INSERT = """
WITH file AS (SELECT id FROM media_files WHERE id = $2 AND state = 'ready' FOR SHARE)
INSERT INTO media_renditions (id, media_id, purpose, mime_type, size, sha256, storage_key, storage)
SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM file
ON CONFLICT (media_id, purpose) DO NOTHING RETURNING true
"""
"""The lock keeps the file from expiring before its rendition can be found to go with it."""
