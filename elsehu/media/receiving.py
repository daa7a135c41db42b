"""Uploads that are read and thrown away (a list of people, say), on this machine's disk while they are read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from elsehu.contracts.errors import FieldError, Invalid, Malformed, TooLarge
from elsehu.http.operations import Call
from elsehu.media.multipart import file_part
from elsehu.media.names import safe_name

LONGEST_SECONDS = 10 * 60


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file as it was uploaded: where it is, its name as its sender calls it (cleaned, never empty), its bytes."""

    path: Path
    name: str
    size: int


@asynccontextmanager
async def receive_file(call: Call[Any, Any], max_bytes: int) -> AsyncIterator[ReceivedFile]:
    """Receive the one file, in the field `file`, of an operation with `multipart=True`; it is deleted in the end.

    Raises TooLarge (more than `max_bytes`, or than `[server] max_upload_bytes`), Malformed (broken, broken off, too
    slow), UnsupportedMedia (no multipart) and Invalid (empty, another field).
    """
    limit = min(max_bytes, call.kernel.settings.server.max_upload_bytes)
    with TemporaryDirectory(prefix="elsehu-upload-", ignore_cleanup_errors=True) as folder:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                received = await _received(call, limit, Path(folder) / "file")
        except TimeoutError:
            raise Malformed("upload_too_slow", "The upload took too long. Send it over a faster connection.") from None
        yield received


async def _received(call: Call[Any, Any], limit: int, path: Path) -> ReceivedFile:
    part = await file_part(call.request, limit)
    with path.open("wb") as file:
        async for chunk in part.chunks:
            await asyncio.to_thread(file.write, chunk)
        size = file.tell()
    if size > limit:
        raise TooLarge("too_large", f"The file may have at most {limit} bytes.")
    if not size:
        raise Invalid("invalid_request", "The file is empty.", errors=[FieldError("file", "has no bytes")])
    return ReceivedFile(path, safe_name(part.file_name, part.declared_type), size)
