"""Rows of the first worksheet of a workbook."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import lru_cache, reduce
from pathlib import Path

from elsehu.sheets import refusals
from elsehu.sheets.model import Limits, Row
from elsehu.sheets.xlsx.cells import date_text, number_text
from elsehu.sheets.xlsx.package import Package, opened_package
from elsehu.sheets.xlsx.strings import SharedStrings, unescaped, whole
from elsehu.sheets.xlsx.workbook import Workbook, read_workbook
from elsehu.sheets.xlsx.xml import Attributes, parsed

DIGITS = "0123456789"
LONGEST_PLACE = 12


def xlsx_rows(path: Path, limits: Limits) -> Generator[Row, None, None]:
    """Yield the rows; the file is open while this is gone through. Raises what `refusals` make."""
    with opened_package(path, limits) as package, closing(SharedStrings()) as strings:
        workbook = read_workbook(package)
        if workbook.shared_strings:
            strings.read(package.pieces(workbook.shared_strings), limits)
        yield from _rows(package, workbook, strings, limits)


def _rows(package: Package, workbook: Workbook, strings: SharedStrings, limits: Limits) -> Iterator[Row]:
    worksheet = _Worksheet(workbook, strings.get, limits)
    for _ in parsed(package.pieces(workbook.worksheet), worksheet):
        yield from worksheet.rows
        worksheet.rows.clear()


class _Worksheet:
    """Collects the rows of a worksheet. It hears five things of each cell, so it is quick rather than short."""

    names = frozenset({"row", "c", "v", "f", "is", "t", "r", "rPh"})

    def __init__(self, workbook: Workbook, shared: Callable[[str], str], limits: Limits) -> None:
        self.depth = 0
        self.rows: list[Row] = []
        self._dates = workbook.dates
        self._from_1904 = workbook.from_1904
        self._shared = shared
        self._limits = limits
        self._found: list[str] = []
        self._is_text = self._is_spoken = False
        self._number = 0
        self._cells: list[str] = []
        self._column = -1
        self._cell: Attributes = {}

    def start(self, name: str, attributes: Attributes, /) -> None:
        self.depth += 1
        if name == "c":
            self._cell = attributes
            place = attributes.get("r")
            self._column = _column(place[:LONGEST_PLACE].rstrip(DIGITS)) if place else self._column + 1
        elif name == "v":
            self._is_text = True
        elif name == "row":
            number = attributes.get("r", "")
            self._number = int(number) if number.isdecimal() and len(number) < 9 else self._number + 1
            self._cells, self._column = [], -1
        elif name == "t":
            self._is_text = not self._is_spoken
        elif name == "rPh":
            self._is_spoken = True

    def text(self, text: str, /) -> None:
        """Keep text. What comes after more than a cell may hold is dropped: it is refused as too long anyway."""
        if self._is_text and (not self._found or sum(map(len, self._found)) <= self._limits.cell_length):
            self._found.append(text)

    def end(self, name: str, /) -> None:
        self.depth -= 1
        if name == "v":
            self._is_text = False
        elif name == "c":
            if self._found:
                self._put(self._value(whole(self._found)))
        elif name == "row":
            self.rows.append(Row(self._number, tuple(self._cells)))
            self._cells = []
        elif name == "t":
            self._is_text = False
        elif name == "rPh":
            self._is_spoken = False

    def _put(self, value: str) -> None:
        column, width = self._column, len(self._cells)
        if column < width:
            if column < 0:
                raise refusals.damaged()
            self._cells[column] = value
            return
        if column >= self._limits.columns:
            raise refusals.too_many_columns(self._number, self._limits)
        self._cells += [""] * (column - width)
        self._cells.append(value)

    def _value(self, raw: str) -> str:
        kind = self._cell.get("t", "n")
        if kind == "s":
            return self._shared(raw if raw.isdecimal() else raw.strip())
        if len(raw) > self._limits.cell_length:
            raise refusals.cell_too_long(self._number, self._limits)
        if kind == "n":
            return self._of_number(raw.strip())
        if kind == "b":
            return "TRUE" if raw.strip() in ("1", "true") else "FALSE"
        if kind == "d":
            return raw.strip().removesuffix("T00:00:00").replace("T", " ")
        return unescaped(raw)

    def _of_number(self, raw: str) -> str:
        style = self._cell.get("s", "0")
        place = int(style) if style.isdecimal() and len(style) < 9 else 0
        if place < len(self._dates) and self._dates[place]:
            return date_text(raw, from_1904=self._from_1904)
        return number_text(raw)


@lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    """Return the column that is called `AB`, say, from 0; -1 for what is no column."""
    if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isupper():
        return -1
    return reduce(lambda column, letter: column * 26 + ord(letter) - ord("A") + 1, letters, 0) - 1
