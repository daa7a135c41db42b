"""Doing an import: by one process at a time, from where the last one left it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.slices import TOLD_EVERY, finish, merge_slice
from elsehu.messaging.contacts.importing.staging import fail, stage

MOST_ATTEMPTS = 10
"""How often it is begun without coming any further."""

TRY_LOCK = "SELECT pg_try_advisory_lock($1)"
BEGIN = """
UPDATE contact_imports SET attempts = attempts + 1, begun_at = coalesce(begun_at, $2)
WHERE id = $1 AND status IN ('queued', 'running') RETURNING *
"""
STATUS = "SELECT * FROM contact_imports WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: rows `read` while they are staged; `total` once that is known, and `merged` of them."""

    read: int
    total: int | None = None
    merged: int = 0


Watch = Callable[[Progress], None]


def _unwatched(_: Progress) -> None:
    return None


async def run(kernel: Kernel, import_id: UUID, *, seconds: float | None = None, watch: Watch = _unwatched) -> bool:
    """Do an import, for about `seconds` at most; returns whether there is nothing left for us to do.

    That is so as well where another process does it. Whatever ends this, another call goes on where it was.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    async with _alone(kernel, import_id) as is_alone:
        begun = await kernel.db.fetch_row(BEGIN, import_id, kernel.now()) if is_alone else None
        if begun is None:
            return True
        if begun["attempts"] > MOST_ATTEMPTS:
            detail = "It was begun many times and never got any further; the log of the worker says why."
            await fail(kernel, import_id, "import_failed", detail)
            return True
        await stage(kernel, import_id, lambda read: watch(Progress(read)))
        return await _merge(kernel, import_id, deadline, watch)


async def _merge(kernel: Kernel, import_id: UUID, deadline: float | None, watch: Watch) -> bool:
    row = await kernel.db.fetch_row(STATUS, import_id)
    if row is None or row["status"] != "running":
        return True
    progress = Progress(row["total"], row["total"], _done(row))
    watch(progress)
    while (step := await merge_slice(kernel, import_id)).merged:
        progress = Progress(progress.read, progress.total, progress.merged + step.merged)
        watch(progress)
        if deadline is not None and time.monotonic() > deadline:
            return False
    if step.told_at is not None:  # at most one event a second, the last one too
        await asyncio.sleep((step.told_at + TOLD_EVERY - kernel.now()).total_seconds())
    await finish(kernel, import_id)
    return True


def _done(row: Row) -> int:
    return int(row["created"] + row["updated"] + row["skipped"] + row["failed"])


@asynccontextmanager
async def _alone(kernel: Kernel, import_id: UUID) -> AsyncIterator[bool]:
    """Hold the lock of an import for the block; PostgreSQL gives it back when this process is no more."""
    key = int.from_bytes(import_id.bytes[8:], "big", signed=True)
    async with kernel.db.session() as session:
        yield await session.fetch_value(TRY_LOCK, key)
