"""Reading an object, or a range of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from elsehu.plugin import ByteRange
from elsehu_storage_local.disk import BLOCK, Log, on_disk


async def read(log: Log, path: Path, byte_range: ByteRange | None) -> AsyncIterator[bytes]:
    """Yield the bytes of the file at `path`, or those of the range, in blocks.

    Raises FileNotFoundError at the first step, and Unavailable where the disk fails.
    """
    file = await on_disk(log, _open, path)
    try:
        left = None
        if byte_range:
            await on_disk(log, file.seek, byte_range.start)
            left = byte_range.length
        while left != 0:
            block = await on_disk(log, file.read, BLOCK if left is None else min(BLOCK, left))
            if not block:
                return
            left = None if left is None else left - len(block)
            yield block
    finally:
        file.close()


def _open(path: Path) -> BinaryIO:
    return path.open("rb")
