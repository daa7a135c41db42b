"""What a storage plugin exchanges with the media slice."""

import re
from dataclasses import dataclass

KEY = re.compile(r"[a-z0-9][a-z0-9-]*(?:/[a-z0-9][a-z0-9-]*)*")
MAX_KEY_LENGTH = 200


def check_key(key: str) -> str:
    """Return `key` if it has the shape that the kernel gives its keys.

    Every storage hook calls this first, so that text from outside never becomes a path or a URL even if a
    bug lets some through. Raises ValueError.
    """
    if len(key) > MAX_KEY_LENGTH or not KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is no storage key: the kernel makes them of a-z, 0-9, '-' and '/'")
    return key


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What `storage_put` stored: its key, length in bytes and SHA-256 (hex)."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes, `start` and `end` both included and within the object."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """The number of bytes in the range."""
        return self.end - self.start + 1
