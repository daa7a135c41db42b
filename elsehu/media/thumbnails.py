"""Small pictures of images and stickers, made when somebody first asks for one."""

import asyncio
import struct
from io import BytesIO
from uuid import UUID

import structlog
from PIL import ExifTags, Image

from elsehu.contracts.errors import NotFound
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.objects import store_bytes
from elsehu.media.queries import file_of, find_rendition, require_ready, stored
from elsehu.media.renditions import Purpose, keep
from elsehu.media.types import has_thumbnail

log = structlog.get_logger("elsehu.media")

LONGEST_SIDE = 320
LARGEST_FILE = 32 * 1024 * 1024
MOST_PIXELS = 50_000_000
"""What a picture may come to when it is unpacked: 200 MB in memory."""

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
PALETTES = frozenset({"1", "P"})
"""Modes whose pixels are no colours that could be mixed."""

TYPE = "image/webp"
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by the orientation that its camera noted (EXIF, tag 274)."""

WEIRD = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError),
    *(struct.error, Image.DecompressionBombError),
)
"""What Pillow's readers raise for what somebody made up."""


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
    small = await asyncio.to_thread(shrunk, data)
    if small is None:
        log.info("no_thumbnail", media=str(row["id"]), mime_type=row["mime_type"])
        raise _none()
    return await keep(kernel, row["id"], Purpose.THUMBNAIL, await store_bytes(kernel, small, TYPE))


def shrunk(data: bytes) -> bytes | None:
    """Return a picture of at most LONGEST_SIDE pixels a side, upright and without metadata; None for what is none."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
            turn = _turn(image)
            mode = "RGBA" if image.has_transparency_data else "RGB"
            picture = image.convert(mode) if image.mode in PALETTES else image
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            small = picture.convert(mode)
            return _encoded(small if turn is None else small.transpose(turn))
    except WEIRD:
        return None


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what turns a picture upright. Who cannot be asked is upright: many programs write broken EXIF."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except WEIRD:
        return None


def _encoded(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=80, exif=b"", icc_profile=b"")
    return out.getvalue()


def _none() -> NotFound:
    return NotFound("no_thumbnail", "There is no small picture of this file. Show an icon for its type instead.")
