"""Small files for customers who send something without caring what."""

import hashlib
import struct
import zlib


def png(width: int = 64, height: int = 64) -> bytes:
    """Return a grey picture."""
    return _png(width, height, 8, (b"\0" + b"\x80" * width) * height)


def dots(code: str) -> bytes:
    """Return 29 x 29 dots made of a pairing code: an image of the right kind, which no phone can scan."""
    seed = hashlib.sha512(code.encode()).digest() * 2
    return _png(29, 29, 1, b"".join(b"\0" + seed[row * 4 : row * 4 + 4] for row in range(29)))


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


def _png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
