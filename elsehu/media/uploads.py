"""Files that users and machines upload, to send them later."""

import asyncio

from starlette.requests import Request

from elsehu.contracts.errors import FieldError, Invalid, TooLarge
from elsehu.contracts.message import Kind
from elsehu.http.bodies import too_slow
from elsehu.kernel import Kernel
from elsehu.media.multipart import file_part
from elsehu.media.objects import StoredMedia, drop, identify, store
from elsehu.media.types import fits, kind_of

LONGEST_UPLOAD_SECONDS = 30 * 60
"""Shorter than the sweep waits before it takes an object for an orphan."""


async def receive_upload(kernel: Kernel, request: Request, kind: Kind | None) -> StoredMedia:
    """Store the file of a multipart request; the caller makes it a file (`service.create`).

    `kind` is what it is to be sent as (default: as its content says). Raises TooLarge, TooSlow, Malformed,
    UnsupportedMedia, Invalid (`media_kind_mismatch`, an empty file), Unavailable.
    """
    try:
        async with asyncio.timeout(LONGEST_UPLOAD_SECONDS):
            return await _receive(kernel, request, kind)
    except TimeoutError:
        raise too_slow() from None


def limit_of(kernel: Kernel, kind: Kind) -> int:
    """Return how many bytes a file may have to be sent as `kind`: what the most generous provider takes."""
    limits = [spec.media_limits.get(kind) for spec in kernel.plugins.providers() if kind in spec.kinds]
    most = max((limit.max_bytes for limit in limits if limit), default=0)
    ours = min(kernel.settings.media.max_bytes, kernel.settings.server.max_upload_bytes)
    return min(most, ours) if limits and all(limits) else ours


async def _receive(kernel: Kernel, request: Request, kind: Kind | None) -> StoredMedia:
    part = await file_part(request, kernel.settings.server.max_upload_bytes, kernel.settings.server.body_timeout)
    mime_type, chunks = await identify(part.chunks, part.declared_type)
    kind = _checked_kind(kind, mime_type)
    limit = limit_of(kernel, kind)
    try:
        stored = await store(kernel, chunks, mime_type, part.file_name, limit)
    except TooLarge:
        raise TooLarge("too_large", _too_large(kind, limit)) from None
    if stored.size == 0:
        await drop(kernel, stored)
        raise Invalid("invalid_request", "The file is empty.", errors=[FieldError("file", "has no bytes")])
    return stored


def _checked_kind(kind: Kind | None, mime_type: str) -> Kind:
    if kind and not fits(mime_type, kind):
        problem = FieldError("kind", f"the file is {mime_type}")
        detail = f"The file is no {kind}. Leave `kind` out, or send it as a document with `?kind=document`."
        raise Invalid("media_kind_mismatch", detail, errors=[problem])
    return kind or kind_of(mime_type)


def _too_large(kind: Kind, limit: int) -> str:
    advice = "Make it smaller." if kind is Kind.DOCUMENT else "Make it smaller, or upload it with `?kind=document`."
    return f"A file of the kind {kind} may have at most {limit} bytes. {advice}"
