"""Handing files out over HTTP: ranges, validators, safe types, or a redirect to the storage."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from elsehu.contracts.storage import ByteRange
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.names import content_disposition
from elsehu.media.queries import file_of, media_lost, require_ready
from elsehu.media.ranges import Unsatisfiable, matches, requested_range
from elsehu.media.thumbnails import thumbnail
from elsehu.media.types import served_as, shown_inline

PRESIGNED_SECONDS = 300
HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
    "Cache-Control": "private, no-cache",
}
"""Whatever a customer sent, a browser that opens it runs nothing of it. `no-cache` asks us (cheaply, by ETag)
each time, because whoever may see a file today may not tomorrow."""


class StoredFile(StreamingResponse):
    """A streamed file that is closed at once when the client goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        body: Any = self.body_iterator
        async with aclosing(body):
            await super().__call__(scope, receive, send)


async def serve(kernel: Kernel, media_id: UUID, request: Request, *, small: bool = False) -> Response:
    """Return the answer to a GET or HEAD of a file, or of a small picture of it; who may see it was checked before.

    Raises NotFound, Conflict (`media_pending`, `media_failed`) or Gone (`media_expired`, `media_lost`).
    """
    if small:
        return await _answer(kernel, await thumbnail(kernel, media_id), request)
    row = await file_of(kernel, media_id)
    require_ready(row)
    return await _answer(kernel, row, request)


async def _answer(kernel: Kernel, row: Row, request: Request) -> Response:
    headers = {**HARMLESS, "ETag": f'"{row["sha256"]}"', "Accept-Ranges": "bytes"}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = _disposition(row)
    if request.method == "HEAD":
        headers["Content-Length"] = str(row["size"])
        return Response(headers=headers, media_type=_media_type(row))
    return await _redirect(kernel, row) or await _file(kernel, row, request, headers)


async def _redirect(kernel: Kernel, row: Row) -> Response | None:
    url = await kernel.plugins.storage_url(
        row["storage_key"], _disposition(row), _media_type(row), PRESIGNED_SECONDS, storage=row["storage"]
    )
    return RedirectResponse(url, 307, {"Cache-Control": "no-store"}) if url else None


async def _file(kernel: Kernel, row: Row, request: Request, headers: dict[str, str]) -> Response:
    size: int = row["size"]
    if_range = request.headers.get("if-range", headers["ETag"])
    try:
        part = requested_range(request.headers.get("range"), size) if if_range == headers["ETag"] else None
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.end}/{size}"
    headers["Content-Length"] = str(part.length if part else size)
    body = await _opened(kernel, row, part)
    return StoredFile(body, 206 if part else 200, headers, _media_type(row))


async def _opened(kernel: Kernel, row: Row, part: ByteRange | None) -> AsyncIterator[bytes]:
    """Return the file's bytes, after its first were read: until then an error can still be answered."""
    chunks = kernel.plugins.storage_open(row["storage_key"], part, storage=row["storage"])
    try:
        first = await anext(chunks, b"")
    except FileNotFoundError:
        raise media_lost(row) from None
    return _after(first, chunks)


async def _after(first: bytes, chunks: Any) -> AsyncIterator[bytes]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


def _disposition(row: Row) -> str:
    return content_disposition(row["file_name"], shown_inline(row["mime_type"]))


def _media_type(row: Row) -> str:
    return served_as(row["mime_type"])
