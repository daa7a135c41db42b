"""Storing a stream: what is small in one request, the rest in parts, which show as an object when all are there."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import obstore

from elsehu_storage_s3.bucket import Bucket
from elsehu_storage_s3.feed import fed

if TYPE_CHECKING:
    from obstore import Attributes

BLOCK = 256 * 1024


async def write(bucket: Bucket, key: str, chunks: AsyncIterator[bytes], mime_type: str) -> tuple[int, str]:
    """Store `chunks` under `key` and return their length in bytes and SHA-256 (hex).

    Whatever `chunks` raises passes through, and nothing is left. Raises Unavailable where the storage fails.
    """
    measured = _Measured()
    blocks = _blocks(measured.passing(chunks))
    head, is_whole = await _head(blocks, bucket.config.part_bytes)
    attributes: Attributes = {"Content-Type": mime_type}
    if is_whole:
        with bucket.errors("write"):
            await obstore.put_async(bucket.store, key, b"".join(head), attributes=attributes, use_multipart=False)
    else:
        await _write_parts(bucket, key, _chained(head, blocks), attributes)
    return measured.size, measured.digest.hexdigest()


async def _write_parts(bucket: Bucket, key: str, blocks: AsyncIterator[bytes], attributes: "Attributes") -> None:
    async def send(fed_blocks: AsyncIterator[bytes]) -> None:
        with bucket.errors("write"):
            await obstore.put_async(
                bucket.store,
                key,
                fed_blocks,
                attributes=attributes,
                use_multipart=True,
                chunk_size=bucket.config.part_bytes,
                max_concurrency=bucket.config.parts_at_once,
            )

    await fed(send, blocks)


class _Measured:
    """A stream's length and SHA-256, taken as it passes."""

    def __init__(self) -> None:
        self.size = 0
        self.digest = hashlib.sha256()

    async def passing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what `chunks` yields."""
        async for chunk in chunks:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces of about BLOCK: each crosses a border between threads."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    if size:
        yield b"".join(pieces)


async def _head(blocks: AsyncIterator[bytes], length: int) -> tuple[Sequence[bytes], bool]:
    """Return the first blocks, until they have `length` bytes, and whether these are all."""
    head: list[bytes] = []
    size = 0
    async for block in blocks:
        head.append(block)
        size += len(block)
        if size >= length:
            return head, False
    return head, True


async def _chained(head: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for block in head:
        yield block
    async for block in rest:
        yield block
