"""A list on its way from a file into the database: what a thread does, so that nobody else has to wait.

Reading, and telling phone numbers, is work for the processor. It is done piece by piece, and after every few rows the
thread lets others go first: else the requests of that moment would each wait for it many times.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import orjson

from elsehu.plugin import Meaning, SheetLimits, SheetRow, guess_columns, open_sheet, parse_phone

Some = TypeVar("Some")
SAMPLE = 50
PIECE = 1000
POLITE = 10
"""Rows after which the thread lets others run."""

USED = (Meaning.PHONE, Meaning.NAME)
NUL = b"\\u0000"
"""PostgreSQL has no place for it, not even in JSON."""


@dataclass(frozen=True, slots=True)
class Table:
    """An open list: its headings, what they seem to mean, and all of its rows, to be gone through once in a thread."""

    columns: Sequence[str]
    mapping: Mapping[str, str]
    rows: Iterator[SheetRow]


@asynccontextmanager
async def open_table(path: Path, limits: SheetLimits) -> AsyncIterator[Table]:
    """Open a file in a thread. Raises what `open_sheet` raises."""
    async with AsyncExitStack() as stack:
        opened = open_sheet(path, limits)
        sheet = await asyncio.to_thread(opened.__enter__)
        stack.push_async_callback(asyncio.to_thread, opened.__exit__, None, None, None)
        first = await asyncio.to_thread(lambda: list(islice(sheet.rows, SAMPLE)))
        found = guess_columns(sheet.columns, [row.cells for row in first])
        mapping = {meaning.value: found[meaning] for meaning in USED if meaning in found}
        yield Table(sheet.columns, mapping, chain(first, sheet.rows))


async def copied(table: Table, file_id: str, region: str) -> AsyncIterator[bytes]:
    """Yield the rows as PostgreSQL's COPY takes them: file, number, cells, phone. Raises what reading raises."""
    lines = _lines(table, file_id.encode(), region)
    while piece := await asyncio.to_thread(lambda: b"".join(islice(lines, PIECE))):
        yield piece


def _lines(table: Table, file_id: bytes, region: str) -> Iterator[bytes]:
    width = len(table.columns)
    phone_of = PhoneReader(table.columns, table.mapping, region)
    for row in polite(table.rows):
        cells = row.cells[:width]
        phone = phone_of(cells)
        yield b"%s\t%d\t%s\t%s\n" % (file_id, row.number, _json(cells), phone.encode() if phone else b"\\N")


def _json(cells: Sequence[str]) -> bytes:
    """Return cells as JSON, with the backslashes that COPY wants to see twice."""
    shown = orjson.dumps(cells)
    if NUL in shown:
        shown = orjson.dumps([cell.replace("\0", "") for cell in cells])
    return shown.replace(b"\\", b"\\\\")


class PhoneReader:
    """Tells a row's phone by the column that holds it."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, str], region: str) -> None:
        column = mapping.get(Meaning.PHONE)
        self._place = columns.index(column) if column in columns else None
        self._region = region

    def __call__(self, cells: Sequence[str]) -> str | None:
        """Return the canonical digits, or None where there is no number."""
        if self._place is None or self._place >= len(cells):
            return None
        written = cells[self._place].strip()
        return parse_phone(written, self._region) if written else None


def polite(rows: Iterable[Some]) -> Iterator[Some]:
    """Yield `rows`, and let other threads run every now and then."""
    for place, row in enumerate(rows):
        if place % POLITE == 0:
            time.sleep(0)
        yield row
