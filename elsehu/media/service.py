"""Files become rows: ready, to be fetched, or given up. Writers take the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import TooLarge
from elsehu.contracts.inbound import MediaContent
from elsehu.contracts.user import Caller
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.media.names import safe_name
from elsehu.media.objects import StoredMedia, claim, drop, hex_digest, mismatch, store_bytes
from elsehu.media.queries import load
from elsehu.media.types import OCTETS, canonical

__all__ = [
    "NewFile",
    "StoredMedia",
    "create",
    "create_pending",
    "create_ready",
    "failed_file",
    "load",
    "pending_file",
    "prepare",
    "ready_file",
    "store_bytes",
]

FETCH_SIGNAL = "media"
"""Signalled when there may be something to fetch."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is about to become a row; its id is known before. Fields as in tables.py."""

    state: str
    mime_type: str = OCTETS
    file_name: str = ""
    size: int | None = None
    sha256: str | None = None
    storage_key: str | None = None
    storage: str = ""
    reference: Mapping[str, Any] = field(default_factory=dict)
    is_voice: bool = False
    error: str = ""
    instance_id: UUID | None = None
    uploaded_by: UUID | None = None
    uploaded_by_key: UUID | None = None
    id: UUID = field(default_factory=new_id)


async def prepare(kernel: Kernel, instance_id: UUID, content: MediaContent) -> NewFile:
    """Return what a message's file becomes: for inbound messages, before their transaction.

    Bytes that came along are stored at once. What is larger than `[media] max_bytes` becomes a failed
    file, and bytes that are not what was announced are fetched again where they can be. Raises Unavailable
    where the storage fails, and one of `db.CONNECTION_LOST`.
    """
    if content.data is None:
        return pending_file(instance_id, content)
    try:
        stored = await store_bytes(kernel, content.data, content.mime_type, content.file_name)
    except TooLarge as refusal:
        return failed_file(instance_id, content, refusal.detail)
    wrong = mismatch(stored, content.size, hex_digest(content.sha256))
    if wrong is None:
        return ready_file(stored, instance_id=instance_id, is_voice=content.is_voice)
    await drop(kernel, stored)
    return pending_file(instance_id, content) if content.reference else failed_file(instance_id, content, wrong)


def ready_file(
    stored: StoredMedia, *, instance_id: UUID | None = None, is_voice: bool = False, caller: Caller | None = None
) -> NewFile:
    """Return a file whose bytes are in storage; `caller` is who uploaded it."""
    return NewFile(
        state="ready",
        mime_type=stored.mime_type,
        file_name=stored.file_name,
        size=stored.size,
        sha256=stored.sha256,
        storage_key=stored.key,
        storage=stored.storage,
        is_voice=is_voice,
        instance_id=instance_id,
        uploaded_by=caller.user_id if caller else None,
        uploaded_by_key=caller.api_key_id if caller else None,
    )


def pending_file(instance_id: UUID, content: MediaContent) -> NewFile:
    """Return a file that the fetcher is to get from the provider."""
    mime_type = canonical(content.mime_type)
    return NewFile(
        state="pending",
        mime_type=mime_type,
        file_name=safe_name(content.file_name, mime_type),
        size=content.size,
        sha256=hex_digest(content.sha256),
        reference=content.reference,
        is_voice=content.is_voice,
        instance_id=instance_id,
    )


def failed_file(instance_id: UUID, content: MediaContent, error: str) -> NewFile:
    """Return a file that nobody will fetch; `error` tells people why."""
    mime_type = canonical(content.mime_type)
    name = safe_name(content.file_name, mime_type)
    return NewFile("failed", mime_type, name, is_voice=content.is_voice, error=error, instance_id=instance_id)


async def create(uow: UnitOfWork, files: Sequence[NewFile]) -> None:
    """Write the rows of `files`, and wake the fetcher if some are to be fetched.

    Raises Unavailable where a stored object was swept in the meantime.
    """
    if not files:
        return
    await claim(uow, [file.storage_key for file in files if file.storage_key])
    await uow.execute(_INSERT, orjson.dumps([asdict(file) for file in files], default=_as_text).decode())
    if any(file.state == "pending" for file in files):
        uow.signal(FETCH_SIGNAL)


async def create_ready(
    uow: UnitOfWork, stored: StoredMedia, *, instance_id: UUID | None = None, is_voice: bool = False
) -> UUID:
    """Write the row of one stored file and return its id."""
    file = ready_file(stored, instance_id=instance_id, is_voice=is_voice)
    await create(uow, [file])
    return file.id


async def create_pending(uow: UnitOfWork, instance_id: UUID, content: MediaContent) -> UUID:
    """Write the row of one file to fetch and return its id."""
    file = pending_file(instance_id, content)
    await create(uow, [file])
    return file.id


def _as_text(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's own kind, which orjson does not know
        return str(value)
    raise TypeError(f"{type(value).__name__} in a file's reference: give it as JSON has it")


_INSERT = """
INSERT INTO media_files (
    id, state, mime_type, file_name, size, sha256, storage_key, storage, reference, is_voice, error,
    instance_id, uploaded_by, uploaded_by_key, attempts, next_attempt_at, created_at, ready_at
)
SELECT
    id, state, mime_type, file_name, size, sha256, storage_key, storage, reference, is_voice, error,
    instance_id, uploaded_by, uploaded_by_key, 0, now(), now(), CASE WHEN state = 'ready' THEN now() END
FROM jsonb_populate_recordset(NULL::media_files, $1::jsonb)
"""
