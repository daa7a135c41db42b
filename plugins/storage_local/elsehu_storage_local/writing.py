"""Storing a stream: a locked temporary file that gets its name only when all of it is on the disk."""

import asyncio
import fcntl
import hashlib
import io
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from uuid import uuid4

from elsehu_storage_local.disk import BLOCK, Log, on_disk
from elsehu_storage_local.folders import TEMPORARY, clear_leftovers, make_folder, sync_folder


async def write(log: Log, root: Path, key: str, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
    """Store `chunks` as `root / key` and return their length in bytes and SHA-256 (hex).

    Whatever `chunks` raises passes through, and nothing is left. Raises Unavailable where the disk fails.
    """
    growing = Growing(root)
    try:
        await on_disk(log, growing.open)
        async for batch in _batches(chunks):
            await on_disk(log, growing.write, batch)
        return await on_disk(log, growing.finish, root / key)
    finally:
        await asyncio.shield(asyncio.to_thread(growing.discard))


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[Sequence[bytes]]:
    batch: list[bytes] = []
    size = 0
    async for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield batch
            batch, size = [], 0
    yield batch


class Growing:
    """An object that is being stored. Its methods run in threads, one at a time.

    The lock is for cancellation: a cancelled `write` goes on in its thread while `discard` is called.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None
        self._file: BinaryIO = io.BytesIO()
        self._digest = hashlib.sha256()
        self._size = 0
        self._one_at_a_time = Lock()

    def open(self) -> None:
        """Make the temporary file."""
        with self._one_at_a_time:
            clear_leftovers(self._root)
            folder = self._root / TEMPORARY
            make_folder(folder)
            self._path, self._file = _locked_file(folder)

    def write(self, batch: Sequence[bytes]) -> None:
        """Append the pieces of `batch`."""
        with self._one_at_a_time:
            for piece in batch:
                self._file.write(piece)
                self._digest.update(piece)
                self._size += len(piece)

    def finish(self, target: Path) -> tuple[int, str]:
        """Give the file its name, durably, and return its length in bytes and SHA-256 (hex)."""
        with self._one_at_a_time:
            assert self._path is not None
            self._file.flush()
            os.fsync(self._file.fileno())
            make_folder(target.parent)
            self._path.replace(target)
            sync_folder(target.parent)
            return self._size, self._digest.hexdigest()

    def discard(self) -> None:
        """Close the file, and delete it unless it was finished."""
        with self._one_at_a_time:
            with suppress(OSError):
                self._file.close()
            if self._path:
                self._path.unlink(missing_ok=True)


def _locked_file(folder: Path) -> tuple[Path, BinaryIO]:
    """Return a new file's path and the file, locked before anybody could take it for a leftover."""
    while True:
        path = folder / uuid4().hex
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return path, os.fdopen(descriptor, "wb")
        os.close(descriptor)
