"""Opening a file as a table, whatever it is."""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, count
from pathlib import Path

from elsehu.sheets import refusals
from elsehu.sheets.csv_reading import csv_rows
from elsehu.sheets.csv_writing import BOM
from elsehu.sheets.formulas import APOSTROPHE, restored
from elsehu.sheets.headings import looks_like_phone
from elsehu.sheets.model import DEFAULT_LIMITS, Limits, Row, Sheet
from elsehu.sheets.xlsx import xlsx_rows

ZIP = b"PK"
LONGEST_NAME = 200
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How old Excel files begin, and whatever Office protects by a password."""

ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
NO_TABLES = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"Rar!": "a compressed file",
    b"7z\xbc\xaf": "a compressed file",
    b"{\\rtf": "a text document",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
}


@contextmanager
def open_sheet(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Sheet]:
    """Open a CSV or XLSX file; what it is, its content tells. The first row that is not empty is its heading.

    It is a row like others if it holds a phone number: such a file has no heading. Blocks, and reads little by little:
    the whole file is never in memory. Raises UnsupportedMedia (no table, or none of ours), TooLarge (a limit) and
    Invalid (empty, damaged), here or while the rows are read.
    """
    if path.stat().st_size > limits.bytes:
        raise refusals.too_large(limits)
    read = xlsx_rows if _is_xlsx(path) else csv_rows
    with closing(read(path, limits)) as source:
        rows = _filled(source, limits)
        first = next(rows, None)
        if first is None:
            raise refusals.empty()
        has_heading = not any(map(looks_like_phone, first.cells))
        columns = _names(first.cells if has_heading else [""] * len(first.cells))
        body = _counted(rows if has_heading else chain([first], rows), len(columns), limits)
        yield Sheet(columns, has_heading, body)


def _is_xlsx(path: Path) -> bool:
    """Tell XLSX from text. Raises UnsupportedMedia if it is plainly neither."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(OLE):
        raise refusals.encrypted() if _is_encrypted(path) else refusals.old_excel()
    for beginning, what in NO_TABLES.items():
        if start.lstrip().lower().startswith(beginning.lower()):
            raise refusals.not_a_table(what)
    return start.startswith(ZIP)


def _is_encrypted(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(ENCRYPTED) >= 0


def _filled(source: Iterable[Row], limits: Limits) -> Iterator[Row]:
    """Yield the rows with anything in them, without the empty cells at their ends."""
    total = 0
    for row in source:
        cells = [restored(cell) if cell[:1] == APOSTROPHE else cell for cell in row.cells]
        while cells and not cells[-1].strip():
            cells.pop()
        if len(cells) > limits.columns:
            raise refusals.too_many_columns(row.number, limits)
        if not cells:
            continue
        lengths = list(map(len, cells))
        total += sum(lengths)
        if max(lengths) > limits.cell_length:
            raise refusals.cell_too_long(row.number, limits)
        if sum(lengths) > limits.row_length:
            raise refusals.row_too_long(row.number, limits)
        if total > limits.inflated_bytes:
            raise refusals.inflates_too_much(limits)
        yield Row(row.number, tuple(cells))


def _counted(rows: Iterable[Row], width: int, limits: Limits) -> Iterator[Row]:
    """Yield the rows, as wide as the heading, until there are too many."""
    for place, row in enumerate(rows, 1):
        if place > limits.rows:
            raise refusals.too_many_rows(limits)
        yield Row(row.number, row.cells + ("",) * (width - len(row.cells)))


def _names(heading: Sequence[str]) -> list[str]:
    """Return a name for each column, none twice."""
    names: dict[str, None] = {}
    for place, cell in enumerate(heading, 1):
        wanted = " ".join(cell.lstrip(BOM).split())[:LONGEST_NAME] or f"Column {place}"
        name = next(one for one in chain([wanted], (f"{wanted} ({n})" for n in count(2))) if one not in names)
        names[name] = None
    return list(names)
