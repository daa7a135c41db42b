"""In which encoding a text file is written."""

import codecs
from pathlib import Path
from typing import BinaryIO

from elsehu.sheets import refusals

PIECE = 64 * 1024
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32's begins as UTF-16's does: first."""

BINARY = bytes({*range(32), 127} - set(b"\0\t\n\v\f\r\x1a\x1b"))
MOST_BINARY = 0.02


def encoding_of(path: Path) -> str:
    """Return the codec that reads the file: Windows-1252 where it is no Unicode. Raises UnsupportedMedia."""
    with path.open("rb") as file:
        start = file.read(PIECE)
        for bom, codec in BOMS:
            if start.startswith(bom):
                return codec
        wide = _wide(start)
        if wide is not None:
            return wide
        file.seek(0)
        if _is_utf8(file):
            return "utf-8"
        if len(start) - len(start.translate(None, BINARY)) > len(start) * MOST_BINARY:
            raise refusals.not_a_table("no text")
        return "cp1252"


def _wide(start: bytes) -> str | None:
    """Return UTF-16's byte order where nearly every other byte is zero."""
    half = len(start) // 2
    if half < 2:
        return None
    if start[1::2].count(0) > half * 0.7 and start[::2].count(0) < half * 0.1:
        return "utf-16-le"
    if start[::2].count(0) > half * 0.7 and start[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return None


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
