"""Pictures made small, by Pillow."""

import struct
from io import BytesIO

from PIL import ExifTags, Image

LONGEST_SIDE = 320
MOST_PIXELS = 50_000_000
"""What a picture may come to when it is unpacked: 200 MB in memory."""

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
PALETTES = frozenset({"1", "P"})
"""Modes whose pixels are no colours that could be mixed."""

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
