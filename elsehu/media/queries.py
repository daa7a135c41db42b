"""Reading files: for handing out, for sending, for attaching."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.errors import Conflict, Gone, NotFound
from elsehu.contracts.outbound import OutboundMedia
from elsehu.contracts.user import Caller
from elsehu.db import Database, Row, UnitOfWork
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.media")


async def file_of(kernel: Kernel, media_id: UUID) -> Row:
    """Return the row of a file. Raises NotFound `media_not_found`."""
    row = await kernel.db.fetch_row(_FILE, media_id)
    if row is None:
        raise unknown_media(media_id)
    return row


async def sendable_upload(db: Database | UnitOfWork, caller: Caller, media_id: UUID) -> Row:
    """Return the row of an upload that `caller` may send: their own, or anybody's for who sees all.

    Raises NotFound for what is none (to the caller), and Gone for one that has expired.
    """
    row = await db.fetch_row(_FILE, media_id)
    if row is None or not _may_send(caller, row):
        raise unknown_media(media_id)
    require_ready(row)
    return row


async def find_rendition(db: Database | UnitOfWork, media_id: UUID, purpose: str) -> Row | None:
    """Return a file in another form, if it was made: a row of `media_renditions`, with the file's name."""
    return await db.fetch_row(_RENDITION, media_id, purpose)


async def load(kernel: Kernel, media_id: UUID) -> OutboundMedia:
    """Return a stored file for sending, a voice note in the form that was made of it.

    Raises NotFound, or as `require_ready`.
    """
    row = await file_of(kernel, media_id)
    require_ready(row)
    sent = (await find_rendition(kernel.db, media_id, "voice") if row["is_voice"] else None) or row

    def stream() -> AsyncIterator[bytes]:
        return stored(kernel, sent)

    async def read() -> bytes:
        return b"".join([chunk async for chunk in stream()])

    return OutboundMedia(
        id=row["id"],
        mime_type=sent["mime_type"],
        file_name=sent["file_name"],
        size=sent["size"],
        sha256=sent["sha256"],
        read=read,
        stream=stream,
        is_voice=row["is_voice"],
    )


async def stored(kernel: Kernel, row: Row) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a row of files or renditions, as they are read. Raises Gone `media_lost`."""
    chunks: Any = kernel.plugins.storage_open(row["storage_key"], storage=row["storage"])
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
    except FileNotFoundError:
        raise media_lost(row) from None


def media_lost(row: Row) -> Gone:
    """Return the refusal of a file whose bytes are not in storage, and log it."""
    log.error("media_lost", media=str(row["id"]), storage=row["storage"], key=row["storage_key"])
    return Gone("media_lost", "The file is missing in storage. An admin may have a backup of it.")


def require_ready(row: Row) -> None:
    """Raise unless the file of `row` can be read.

    Conflict `media_pending` (with the time to come back) or `media_failed`, Gone `media_expired`.
    """
    if row["state"] == "pending":
        wait = max(1.0, row["wait"] or 0.0)
        raise Conflict("media_pending", "The file is still being fetched. Try again shortly.", retry_after=wait)
    if row["state"] == "failed":
        raise Conflict("media_failed", f"The file could not be fetched: {row['error'] or 'no reason is known'}")
    if row["state"] == "expired":
        raise Gone("media_expired", "The file was deleted because it is older than files are kept here.")


def unknown_media(media_id: UUID) -> NotFound:
    """Return the refusal of an id that names no file."""
    return NotFound("media_not_found", f"There is no file {media_id}. Upload it with POST /api/media.")


def _may_send(caller: Caller, row: Row) -> bool:
    owners = {row["uploaded_by"], row["uploaded_by_key"]} - {None}
    return bool(owners) and (caller.sees_all or bool(owners & {caller.user_id, caller.api_key_id}))


_RENDITION = """
SELECT r.media_id AS id, r.mime_type, r.size, r.sha256, r.storage_key, r.storage,
    regexp_replace(f.file_name, '[.][^.]*$', '')
        || CASE r.purpose WHEN 'voice' THEN '.ogg' ELSE '.webp' END AS file_name
FROM media_renditions r JOIN media_files f ON f.id = r.media_id
WHERE r.media_id = $1 AND r.purpose = $2 AND f.state = 'ready'
"""
_FILE = """
SELECT
    id, state, mime_type, file_name, size, sha256, storage_key, storage, is_voice, error,
    uploaded_by, uploaded_by_key, extract(epoch FROM next_attempt_at - now())::float8 AS wait
FROM media_files WHERE id = $1
"""
