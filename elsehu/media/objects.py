"""Bytes on their way into storage, and out of it for good.

Storage takes no part in transactions. So before an object is stored a row says that it may be there
(`unclaimed_objects`), and the transaction that makes it a file's takes the row away. Whatever happens in
between, a killed process or a rolled-back transaction, the sweep finds the row and deletes the object.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from elsehu.contracts.errors import TooLarge, Unavailable
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.media.names import safe_name
from elsehu.media.types import SNIFF_BYTES, detect

SLICE = 256 * 1024
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """An object that is in storage and belongs to no file yet. `sha256` is in hex."""

    key: str
    storage: str
    size: int
    sha256: str
    mime_type: str
    file_name: str


async def identify(chunks: AsyncIterator[bytes], declared: str) -> tuple[str, AsyncIterator[bytes]]:
    """Return the media type that the first bytes show, and the whole stream, those bytes included."""
    head: list[bytes] = []
    length = 0
    async for chunk in chunks:
        head.append(chunk)
        length += len(chunk)
        if length >= SNIFF_BYTES:
            break
    return detect(b"".join(head)[:SNIFF_BYTES], declared), _again(head, chunks)


async def store(
    kernel: Kernel, chunks: AsyncIterator[bytes], mime_type: str, file_name: str | None, limit: int
) -> StoredMedia:
    """Store a stream of a known type, outside of any transaction; `create` in service.py makes it a file.

    Raises TooLarge as soon as there are more than `limit` bytes, Unavailable where the storage fails, and
    whatever `chunks` raises.
    """
    storage = kernel.plugins.storage_name
    key = await announce(kernel, storage)
    stored = await kernel.plugins.storage_put(key, capped(chunks, limit), mime_type, storage=storage)
    return StoredMedia(key, storage, stored.size, stored.sha256, mime_type, safe_name(file_name, mime_type))


async def announce(kernel: Kernel, storage: str) -> str:
    """Return a new key, after committing that there may be an object of that key in `storage`."""
    key = f"media/{kernel.now():%Y/%m}/{new_id()}"
    await kernel.db.execute("INSERT INTO unclaimed_objects (key, storage) VALUES ($1, $2)", key, storage)
    return key


async def store_bytes(
    kernel: Kernel, data: bytes, declared_type: str, file_name: str | None = None, limit: int | None = None
) -> StoredMedia:
    """Store bytes that are already here; see `store`. The limit is `[media] max_bytes` unless one is given."""
    mime_type = detect(data[:SNIFF_BYTES], declared_type)
    return await store(kernel, _slices(data), mime_type, file_name, limit or kernel.settings.media.max_bytes)


async def capped(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield what `chunks` yields. Raises TooLarge with the chunk that goes beyond `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge("too_large", f"The file is larger than the {limit} bytes that it may have.")
        yield chunk


def mismatch(stored: StoredMedia, size: int | None, sha256: str | None) -> str | None:
    """Say in what `stored` is not what was promised, or None. The digest (hex) is the better witness."""
    if sha256:
        return None if stored.sha256 == sha256 else "the bytes do not have the announced SHA-256"
    if size is not None and stored.size != size:
        return f"{stored.size} bytes came where {size} were announced"
    return "no bytes came" if stored.size == 0 and size is None else None


def hex_digest(digest: str | None) -> str | None:
    """Return a SHA-256 that came as hex or base64 in hex; None for what is neither."""
    if digest is None or _HEX.fullmatch(digest.lower()):
        return digest and digest.lower()
    try:
        raw = b64decode(digest + "=" * (-len(digest) % 4), altchars=b"-_" if set(digest) & set("-_") else None)
    except (NotBase64, ValueError):
        return None
    return raw.hex() if len(raw) == 32 else None


async def claim(uow: UnitOfWork, keys: Sequence[str]) -> None:
    """Take objects out of the sweep's reach, in the transaction that makes them files'.

    Raises Unavailable where the sweep was faster (the caller took longer than the sweep waits).
    """
    claimed = await uow.fetch(
        "DELETE FROM unclaimed_objects WHERE key = ANY($1) AND NOT doomed RETURNING key", list(keys)
    )
    if len(claimed) != len(keys):
        raise Unavailable("media_swept", "The file was stored too long ago and is gone. Send it again.", retry_after=1)


async def drop(kernel: Kernel, stored: StoredMedia) -> None:
    """Delete an object that will not become a file."""
    await kernel.db.execute("UPDATE unclaimed_objects SET doomed = true WHERE key = $1", stored.key)
    await delete_doomed(kernel, [(stored.key, stored.storage)])


async def delete_doomed(kernel: Kernel, objects: Sequence[tuple[str, str]]) -> None:
    """Delete objects (key, storage) that are doomed in `unclaimed_objects`, then their rows."""
    for key, storage in objects:
        await kernel.plugins.storage_delete(key, storage=storage)
    keys = [key for key, _ in objects]
    await kernel.db.execute("DELETE FROM unclaimed_objects WHERE key = ANY($1) AND doomed", keys)


async def _again(head: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in head:
        yield chunk
    async for chunk in rest:
        yield chunk


async def _slices(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), SLICE):
        yield data[start : start + SLICE]
