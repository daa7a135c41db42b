"""Files made up on demand, the same bytes for the same seed: enough for a frontend to show something."""

import struct
import wave
import zlib
from collections.abc import Iterator
from io import BytesIO

PIECE = 64 * 1024
SIDE = 64


def sample(mime_type: str, seed: str, size: int | None) -> Iterator[bytes]:
    """Yield a file of `mime_type`, `size` bytes long (None: as long as it takes)."""
    head = _file(mime_type, seed)
    if size is None:
        yield head
        return
    yield head[:size]
    missing = size - len(head)
    filler = seed.encode().ljust(PIECE, b"\0")[:PIECE]
    while missing > 0:
        yield filler[:missing]
        missing -= PIECE


def _file(mime_type: str, seed: str) -> bytes:
    family = mime_type.partition("/")[0]
    if family == "image":
        return _png(seed)
    if family == "audio":
        return _wav(seed)
    return f"A sample file of the Elsehu sandbox.\nSeed: {seed}\n".encode()


def _png(seed: str) -> bytes:
    """Return a square in a colour of its own."""
    colour = struct.pack(">I", zlib.crc32(seed.encode()))[:3]
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * SIDE) * SIDE)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _wav(seed: str) -> bytes:
    """Return half a second of a square tone of a pitch of its own."""
    half_period = 8 + zlib.crc32(seed.encode()) % 16
    period = b"\x60" * half_period + b"\xa0" * half_period
    file = BytesIO()
    with wave.open(file, "wb") as tone:
        tone.setparams((1, 1, 8000, 0, "NONE", ""))
        tone.writeframes((period * 4000)[:4000])
    return file.getvalue()
