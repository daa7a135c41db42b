"""Contents of files: real bytes, or as many made-up ones as wanted, without having them in memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content; ``data`` None stands for ``size`` bytes that ``head`` begins."""

    size: int
    sha256: str
    data: bytes | None = None
    head: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes."""
        if self.data is not None:
            yield from (self.data[start : start + PIECE] for start in range(0, self.size, PIECE))
        else:
            yield from _made_up(self.size, self.head)


def blob_of(data: bytes) -> Blob:
    """Return the blob of real bytes."""
    return Blob(len(data), hashlib.sha256(data).hexdigest(), data)


def large_blob(size: int, head: bytes) -> Blob:
    """Return a blob of ``size`` made-up bytes after ``head``."""
    digest = hashlib.sha256()
    for piece in _made_up(size, head):
        digest.update(piece)
    return Blob(size, digest.hexdigest(), None, head)


def _made_up(size: int, head: bytes) -> Iterator[bytes]:
    yield head[:size]
    left, number = size - len(head), 0
    while left > 0:
        piece = number.to_bytes(8, "big") * (PIECE // 8)
        yield piece[:left]
        left, number = left - PIECE, number + 1
