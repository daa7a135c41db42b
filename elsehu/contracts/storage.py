"""What a storage plugin exchanges with the media slice."""

from dataclasses import dataclass


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
