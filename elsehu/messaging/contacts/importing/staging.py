"""The rows of a file into the database, by one COPY in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

import orjson

from elsehu import events
from elsehu.contracts.errors import DomainError
from elsehu.db import Row as DatabaseRow
from elsehu.db import UnitOfWork
from elsehu.events import Change
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.mapping import resolve
from elsehu.messaging.contacts.importing.rows import RowReader, WrongRow
from elsehu.messaging.contacts.importing.schemas import ColumnMapping
from elsehu.messaging.contacts.importing.storing import SAMPLE, stored_file
from elsehu.sheets import Row, Sheet, open_sheet

EVENT = "import:updated"
PIECE = 256 * 1024
COPY_SECONDS = 3600.0
COLUMNS = ("import_id", "number", "contact", "cells", "problem")

LOCK = "SELECT * FROM contact_imports WHERE id = $1 FOR UPDATE"
STAGED = """
UPDATE contact_imports SET status = 'running', columns = $2::jsonb, mapping = $3::jsonb, total = $4, failed = $5,
    attempts = 0
WHERE id = $1
"""
DROP_FILE = "DELETE FROM contact_import_chunks WHERE import_id = $1"
FAIL = """
UPDATE contact_imports SET status = 'failed', error_code = $2, error_detail = $3, finished_at = now()
WHERE id = $1 AND status IN ('queued', 'running')
"""

Told = Callable[[int], None]
"""Told how many rows were read so far."""


async def stage(kernel: Kernel, import_id: UUID, told: Told) -> None:
    """Stage the rows of a queued import; what its file is refused for, the import failed by."""
    try:
        async with kernel.db.transaction() as uow:
            asked = await uow.fetch_row(LOCK, import_id)
            if asked is not None and asked["status"] == "queued":
                await _stage(uow, asked, told)
    except DomainError as error:
        await fail(kernel, import_id, error.code, error.detail)


async def fail(kernel: Kernel, import_id: UUID, code: str, detail: str) -> None:
    """End an import that cannot be done."""
    async with kernel.db.transaction() as uow:
        await uow.execute(FAIL, import_id, code, detail)
        await uow.execute(DROP_FILE, import_id)
        await events.record(uow, [Change(EVENT, import_id)])


async def _stage(uow: UnitOfWork, asked: DatabaseRow, told: Told) -> None:
    import_id, mapping = asked["id"], ColumnMapping.model_validate_json(asked["mapping"])
    async with stored_file(uow, import_id) as path, AsyncExitStack() as stack:
        staging = await _opened(stack, path, mapping, asked["default_region"], told)
        source = staging.pieces(str(import_id).encode())
        await uow.connection.copy_to_table("contact_import_rows", source=source, columns=COLUMNS, timeout=COPY_SECONDS)
    columns, found = orjson.dumps(staging.columns).decode(), staging.mapping.model_dump_json(by_alias=True)
    await uow.execute(STAGED, import_id, columns, found, staging.total, staging.failed)
    await uow.execute(DROP_FILE, import_id)


async def _opened(stack: AsyncExitStack, path: Path, mapping: ColumnMapping, region: str, told: Told) -> "_Staging":
    opened = open_sheet(path)
    sheet = await asyncio.to_thread(opened.__enter__)
    stack.push_async_callback(asyncio.to_thread, opened.__exit__, None, None, None)
    return await asyncio.to_thread(_Staging, sheet, mapping, region, told)


class _Staging:
    """The rows of an open sheet as PostgreSQL's COPY takes them. Made and gone through in threads: it reads a file."""

    def __init__(self, sheet: Sheet, asked: ColumnMapping, region: str, told: Told) -> None:
        sample = list(islice(sheet.rows, SAMPLE))
        self.columns = sheet.columns
        self.mapping = resolve(asked, sheet.columns, [row.cells for row in sample])
        self.total = self.failed = 0
        self._rows = chain(sample, sheet.rows)
        self._read = RowReader(sheet.columns, self.mapping, region).read
        self._told = told

    async def pieces(self, import_id: bytes) -> AsyncIterator[bytes]:
        """Yield the lines, many at a time."""
        lines = self._lines(import_id)
        while piece := await asyncio.to_thread(_together, lines):
            yield piece
            self._told(self.total)

    def _lines(self, import_id: bytes) -> Iterator[bytes]:
        for row in self._rows:
            self.total += 1
            yield b"%s\t%d\t%s\n" % (import_id, row.number, self._line(row))

    def _line(self, row: Row) -> bytes:
        try:
            contact = self._read(row.cells)
        except WrongRow as wrong:
            self.failed += 1
            return b"\\N\t%s\t%s" % (_escaped(orjson.dumps(row.cells)), _escaped(str(wrong).encode()))
        return _escaped(orjson.dumps(contact)) + b"\t\\N\t\\N"


def _together(lines: Iterator[bytes]) -> bytes:
    """Return the next lines, of about PIECE bytes."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE:
            break
    return bytes(piece)


def _escaped(value: bytes) -> bytes:
    """Return `value` as COPY reads it back."""
    return value.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
