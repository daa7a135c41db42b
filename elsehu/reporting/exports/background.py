"""Reports that are made in the background: large ones in a format that cannot be streamed. The row is the queue.

A job makes one; where it dies, the next one that looks begins it anew. What is ready can be fetched for a day.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import Conflict, DomainError, Gone, NotFound, Unavailable
from elsehu.contracts.user import Caller
from elsehu.db import Row, UnitOfWork
from elsehu.ids import new_id
from elsehu.jobs import Job, enqueue
from elsehu.kernel import Kernel
from elsehu.media import retention
from elsehu.media.objects import store
from elsehu.media.service import create, ready_file
from elsehu.messaging.contacts.data import ContactData, Person
from elsehu.reporting.exports.schemas import DEFAULT_FORMAT, ExportQuery
from elsehu.reporting.exports.writing import export_of

KEPT = timedelta(hours=24)
REMEMBERED = timedelta(days=30)
STUCK = timedelta(minutes=10)
"""Longer than between two signs of life, the last one of a large file included."""

LONGEST = timedelta(hours=12)
"""What was not made for so long never will be."""

SIGN_OF_LIFE_SECONDS = 2.0
MOST_BYTES = 2 * 1024**3
ALL = "/api/reports/exports"

INSERT = """
INSERT INTO report_exports (id, report, format, request, total, asked_by) VALUES ($1, $2, $3, $4::jsonb, $5, $6)
RETURNING *
"""
ONE = "SELECT * FROM report_exports WHERE id = $1"
CLAIM = """
UPDATE report_exports SET status = 'running', touched_at = now(), rows = 0, attempts = attempts + 1
WHERE id = $1 AND (status = 'waiting' OR (status = 'running' AND touched_at < now() - $2::interval))
RETURNING id, request, attempts
"""
MINE = "id = $1 AND status = 'running' AND attempts = $2"
"""Only for the attempt that still counts: one that was taken for dead must not speak for the next."""

TOUCH = f"UPDATE report_exports SET touched_at = now(), rows = $3, total = $4 WHERE {MINE}"  # noqa: S608
FINISH = f"""
UPDATE report_exports SET status = 'ready', media_id = $3, rows = $4, total = $4, touched_at = now(),
    finished_at = now(), expires_at = now() + $5::interval
WHERE {MINE} RETURNING id
"""  # noqa: S608
FAIL = f"UPDATE report_exports SET status = 'failed', error = $3, finished_at = now() WHERE {MINE}"  # noqa: S608
STUCK_ONES = """
SELECT id FROM report_exports WHERE status IN ('waiting', 'running') AND touched_at < now() - $1::interval
"""
GIVE_UP = """
UPDATE report_exports SET status = 'failed', finished_at = now(),
    error = 'It was not made in time: are `elsehu worker` and `elsehu scheduler` running? Ask for it again.'
WHERE status IN ('waiting', 'running') AND created_at < now() - $1::interval
"""
EXPIRE = """
WITH over AS (
    SELECT id, media_id FROM report_exports
    WHERE status = 'ready' AND ($1 OR expires_at < now()) FOR UPDATE
)
UPDATE report_exports e SET status = 'expired', media_id = NULL FROM over WHERE e.id = over.id RETURNING over.media_id
"""
BEGIN_ANEW = """
UPDATE report_exports SET status = 'waiting', touched_at = '-infinity' WHERE status = 'running'
"""
FORGET = "DELETE FROM report_exports WHERE created_at < now() - $1::interval AND status IN ('expired', 'failed')"


async def ask_for(uow: UnitOfWork, kernel: Kernel, caller: Caller, query: Mapping[str, str], total: int) -> Row:
    """Have an export made once this is committed; return its row. `query` are the request's own parameters."""
    request = orjson.dumps(dict(query)).decode()
    names = (query["report"], query.get("format", DEFAULT_FORMAT))
    row = await uow.fetch_row(INSERT, new_id(), *names, request, total, caller.name)
    assert row is not None
    uow.after_commit(lambda: _hint(kernel, row["id"]))
    return row


async def _hint(kernel: Kernel, export_id: UUID) -> None:
    """Ask for the job; without Redis the periodic one finds the row."""
    with suppress(Unavailable):
        await enqueue(kernel, MAKE, {"id": str(export_id)})


async def make(kernel: Kernel, arguments: Mapping[str, Any]) -> None:
    """Make one export, unless another job does so."""
    claim = await kernel.db.fetch_row(CLAIM, UUID(arguments["id"]), STUCK)
    if claim is None:
        return
    try:
        await _make(kernel, claim)
    except DomainError as refusal:
        await kernel.db.execute(FAIL, claim["id"], claim["attempts"], refusal.detail)


async def _make(kernel: Kernel, claim: Row) -> None:
    query = ExportQuery.model_validate_strings(orjson.loads(claim["request"]))
    written = Written(kernel, (claim["id"], claim["attempts"]))
    export = await export_of(kernel, query, written.told)
    written.total = export.report.total
    stored = await store(kernel, export.chunks(), export.exporter.media_type, export.file_name, MOST_BYTES)
    async with kernel.db.transaction() as uow:
        file = ready_file(stored)
        await create(uow, [file])
        if await uow.fetch_value(FINISH, *written.claim, file.id, written.rows, KEPT) is None:
            await retention.discard(uow, [file.id])


@dataclass(slots=True)
class Written:
    """How far an export has come, written down every few seconds as a sign of life."""

    kernel: Kernel
    claim: tuple[UUID, int]
    total: int = 0
    rows: int = 0
    signed: float = 0.0

    async def told(self, rows: int) -> None:
        """Note that so many rows are written."""
        self.rows = rows
        if time.monotonic() - self.signed > SIGN_OF_LIFE_SECONDS:
            self.signed = time.monotonic()
            await self.kernel.db.execute(TOUCH, *self.claim, rows, self.total)


async def upkeep(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Go on with what was left lying, give up what is too late, delete what has expired."""
    await kernel.db.execute(GIVE_UP, LONGEST)
    for row in await kernel.db.fetch(STUCK_ONES, STUCK):
        await enqueue(kernel, MAKE, {"id": str(row["id"])})
    async with kernel.db.transaction() as uow:
        await expire(uow)
        await uow.execute(FORGET, REMEMBERED)


async def expire(uow: UnitOfWork, *, everything: bool = False) -> None:
    """Delete the files that have expired, or all."""
    rows = await uow.fetch(EXPIRE, everything)
    await retention.discard(uow, [row["media_id"] for row in rows if row["media_id"]])


async def export_row(kernel: Kernel, export_id: UUID) -> Row:
    """Return an export's row. Raises NotFound."""
    row = await kernel.db.fetch_row(ONE, export_id)
    if row is None:
        raise NotFound("export_not_found", "There is no such export. Ask for the report again.")
    return row


async def file_of(kernel: Kernel, export_id: UUID) -> UUID:
    """Return the file of an export that is ready. Raises NotFound, Conflict `export_not_ready`, Gone."""
    row = await export_row(kernel, export_id)
    if row["status"] in ("waiting", "running"):
        raise Conflict("export_not_ready", f"The report is still being made: see {ALL}/{export_id}.")
    if row["status"] == "failed":
        raise Conflict("export_failed", f"The report could not be made: {row['error']}")
    if row["media_id"] is None:
        raise Gone("export_expired", "The file was deleted, as all are after a day. Ask for the report again.")
    media_id: UUID = row["media_id"]
    return media_id


def export_view(row: Row) -> dict[str, Any]:
    """Return an export's REST shape."""
    url = f"{ALL}/{row['id']}"
    done = row["rows"] / row["total"] if row["total"] else 0.0
    return {
        "id": str(row["id"]),
        "report": row["report"],
        "format": row["format"],
        "status": row["status"],
        "rows": row["rows"],
        "total": row["total"],
        "progress": 1.0 if row["status"] in ("ready", "expired") else round(min(done, 0.99), 2),
        "error": row["error"],
        "createdAt": isoformat(row["created_at"]),
        "finishedAt": row["finished_at"] and isoformat(row["finished_at"]),
        "expiresAt": row["expires_at"] and isoformat(row["expires_at"]),
        "url": url,
        "downloadUrl": f"{url}/download" if row["status"] == "ready" else None,
    }


async def erase(uow: UnitOfWork, _person: Person) -> None:
    """Names and phones are in these files: none of them stays, and what is being made begins anew."""
    await expire(uow, everything=True)
    await uow.execute(BEGIN_ANEW)


async def nothing(_uow: UnitOfWork, _person: Person) -> None:
    """There is nothing here that is not elsewhere too."""


CONTACT_DATA = ContactData("report_exports", erase, nothing)
MAKE = Job("reporting.export", make)
UPKEEP = Job("reporting.exports", upkeep, "*/10 * * * *", "low")
