"""Small pictures of images and stickers, made when somebody first asks for one."""

import asyncio
from uuid import UUID

import structlog

from elsehu.contracts.errors import NotFound
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.objects import store_bytes
from elsehu.media.queries import file_of, find_rendition, require_ready, stored
from elsehu.media.renditions import Purpose, keep
from elsehu.media.types import has_thumbnail

log = structlog.get_logger("elsehu.media")

LARGEST_FILE = 32 * 1024 * 1024
TYPE = "image/webp"


class Studio:
    """The process's one place where pictures are unpacked, one at a time: each may take much memory."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


async def thumbnail(kernel: Kernel, media_id: UUID) -> Row:
    """Return the small picture of a file, made now if it was not before: a row as `find_rendition` returns it.

    Raises NotFound `no_thumbnail` for what is no picture or cannot be read, and as `require_ready`.
    """
    row = await file_of(kernel, media_id)
    require_ready(row)
    if not has_thumbnail(row["mime_type"]) or row["size"] > LARGEST_FILE:
        raise _none()
    studio: Studio = kernel.parts.setdefault(Studio, Studio())
    found = await find_rendition(kernel.db, media_id, Purpose.THUMBNAIL)
    if found is None:
        async with studio.lock:
            found = await find_rendition(kernel.db, media_id, Purpose.THUMBNAIL) or await _made(kernel, row)
    return found


async def _made(kernel: Kernel, row: Row) -> Row:
    data = b"".join([chunk async for chunk in stored(kernel, row)])
    from elsehu.media.pictures import shrunk  # Pillow takes memory: only who shows pictures has it

    small = await asyncio.to_thread(shrunk, data)
    if small is None:
        log.info("no_thumbnail", media=str(row["id"]), mime_type=row["mime_type"])
        raise _none()
    return await keep(kernel, row["id"], Purpose.THUMBNAIL, await store_bytes(kernel, small, TYPE))


def _none() -> NotFound:
    return NotFound("no_thumbnail", "There is no small picture of this file. Show an icon for its type instead.")
