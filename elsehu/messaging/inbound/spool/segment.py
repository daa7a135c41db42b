"""Files of the spool: appended to by one process, each line on the disk before anybody hears of it.

Who has a segment open holds its lock, so that what a process left behind when it died can be told from what another one
still writes. Calls block: they are for threads.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from elsehu.ids import new_id

SUFFIX = ".webhooks"
PRIVATE = 0o600


class Segment:
    """One file of lines, held by this process until it is closed or removed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, suffix: str = SUFFIX) -> "Segment":
        """Make an empty one in `folder`. Its name sorts after all that were made before. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{new_id()}{suffix}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _sync_folder(folder)
        return cls(path, descriptor)

    @classmethod
    def take(cls, path: Path) -> "Segment | None":
        """Open one that nobody holds; None if somebody does, or it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if not path.exists():  # whoever held it has just removed it
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write `lines` (without line breaks) and wait for the disk; all of them, or none and OSError."""
        try:
            _write(self._descriptor, b"".join(line + b"\n" for line in lines))
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size = os.fstat(self._descriptor).st_size

    def lines(self) -> list[bytes]:
        """Return all lines; what was being written when its process died, and so confirmed to nobody, is none."""
        return self.path.read_bytes().split(b"\n")[:-1]

    def remove(self) -> None:
        """Delete it: all of it has been applied."""
        self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let it go, for others to take."""
        os.close(self._descriptor)


def segments_in(folder: Path) -> list[Path]:
    """Return all segments, whoever holds them, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def bytes_in(folder: Path) -> int:
    """Return how large all segments are together."""
    return sum(_size(path) for path in segments_in(folder))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
