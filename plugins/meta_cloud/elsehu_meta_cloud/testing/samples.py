"""Small files for whom it does not matter what is in them."""

import struct
import zlib


def png(width: int = 32, height: int = 32) -> bytes:
    """Return a grey picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def ogg() -> bytes:
    """Return bytes that begin like a voice note; no player will play them."""
    return b"OggS\0\2" + bytes(22) + b"OpusHead\1\1" + bytes(2000)


def mp4() -> bytes:
    """Return bytes that begin like a video; no player will play them."""
    return struct.pack(">I", 32) + b"ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(500)


def webp() -> bytes:
    """Return bytes that begin like a sticker."""
    return b"RIFF" + struct.pack("<I", 254) + b"WEBPVP8 " + bytes(246)


def pdf() -> bytes:
    """Return the smallest document that calls itself a PDF."""
    return b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
