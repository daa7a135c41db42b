"""The folders of the storage: made private and durable, and cleared of what a killed process left."""

import fcntl
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

TEMPORARY = ".tmp"
"""Where objects grow. No key can name it: keys have no dots."""


def make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents, 0700, each on the disk before its child."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def clear_leftovers(root: Path) -> None:
    """Delete the temporary files under `root` that no living process writes; once a process and root.

    A writer holds a lock on its file, which dies with it however it dies.
    """
    for path in (root / TEMPORARY).glob("*"):
        with suppress(FileNotFoundError, BlockingIOError):
            _delete_unless_locked(path)


def _delete_unless_locked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
