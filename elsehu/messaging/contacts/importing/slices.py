"""Staged rows become contacts, some at a time; what became of them is committed with them."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from elsehu import events
from elsehu.db import Row, UnitOfWork
from elsehu.events import Change
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.bulk import ContactRow, Outcome, upsert_contacts
from elsehu.messaging.contacts.importing.staging import EVENT, LOCK
from elsehu.messaging.inbound.retrying import retrying

SLICE = 500
TOLD_EVERY = timedelta(seconds=1)

NEXT = """
SELECT id, contact FROM contact_import_rows
WHERE import_id = $1 AND id > $2 AND problem IS NULL ORDER BY id LIMIT $3
"""
MERGED = """
UPDATE contact_imports SET merged_to = $2, created = created + $3, updated = updated + $4, skipped = skipped + $5,
    attempts = 0, told_at = coalesce($6, told_at)
WHERE id = $1
"""
FINISH = """
UPDATE contact_imports SET status = 'finished', finished_at = $2, told_at = $2 WHERE id = $1
"""
DROP_MERGED = "DELETE FROM contact_import_rows WHERE import_id = $1 AND problem IS NULL"


@dataclass(frozen=True, slots=True)
class Step:
    """What a slice came to: `merged` rows; none where nothing is left. `told_at`: when the sockets were last told."""

    merged: int
    told_at: datetime | None


async def merge_slice(kernel: Kernel, import_id: UUID) -> Step:
    """Merge the next rows of a running import."""

    async def write(uow: UnitOfWork, _: object) -> Step:
        row = await _running(uow, import_id)
        return Step(0, None) if row is None else await _merge(uow, row, kernel.now())

    return await retrying(kernel, write)


async def finish(kernel: Kernel, import_id: UUID) -> None:
    """End a running import of which nothing is left, and drop its rows but for those that failed."""
    async with kernel.db.transaction() as uow:
        if await _running(uow, import_id) is not None:
            await uow.execute(DROP_MERGED, import_id)
            await uow.execute(FINISH, import_id, kernel.now())
            await events.record(uow, [Change(EVENT, import_id)])


async def _running(uow: UnitOfWork, import_id: UUID) -> Row | None:
    row = await uow.fetch_row(LOCK, import_id)
    return row if row is not None and row["status"] == "running" else None


async def _merge(uow: UnitOfWork, row: Row, now: datetime) -> Step:
    rows = await uow.fetch(NEXT, row["id"], row["merged_to"], SLICE)
    if not rows:
        return Step(0, row["told_at"])
    done = await upsert_contacts(uow, [ContactRow(**orjson.loads(one["contact"])) for one in rows])
    counts = Counter(one.outcome for one in done)
    tells = now - (row["told_at"] or row["begun_at"]) >= TOLD_EVERY
    numbers = (counts[Outcome.CREATED], counts[Outcome.UPDATED], counts[Outcome.UNCHANGED])
    await uow.execute(MERGED, row["id"], rows[-1]["id"], *numbers, now if tells else None)
    if tells:
        await events.record(uow, [Change(EVENT, row["id"])])
    return Step(len(rows), now if tells else row["told_at"])
