"""Rows of a text file, whatever its delimiter, encoding and line ends."""

import csv
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TextIO

from elsehu.sheets import refusals
from elsehu.sheets.delimiters import DECLARED, delimiter_of
from elsehu.sheets.encoding import encoding_of
from elsehu.sheets.model import Limits, Row

SAMPLE = 64 * 1024
LONGEST_LINE = 4 * 1024 * 1024
"""Characters. One line is in memory at a time, so it must not be the whole file."""


def csv_rows(path: Path, limits: Limits) -> Generator[Row, None, None]:
    """Yield every row, empty ones too; the file is open while this is gone through. Raises what `refusals` make."""
    with path.open(encoding=encoding_of(path), errors="replace", newline="") as file:
        yield from _rows(file, _delimiter(file), limits)


def _delimiter(file: TextIO) -> str:
    """Find the delimiter and leave `file` where its rows begin, but for a declaration, which is a row."""
    sample = file.read(SAMPLE)
    file.seek(0)
    declared = DECLARED.match(sample.split("\n", 1)[0] + "\n")
    return declared[1] if declared else delimiter_of(sample)


def _rows(file: TextIO, delimiter: str, limits: Limits) -> Iterator[Row]:
    lines = _Lines(file, limits)
    last: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter), 1):
            last = lines.row
            yield Row(number, () if number == 1 and _is_declaration(last) else tuple(cells))
            lines.begin_row(number + 1)
    except csv.Error:
        raise refusals.cell_too_long(number + 1, limits) from None
    _check_closed(last, delimiter, number)


class _Lines:
    """The lines of a file, and those of the row that is being read."""

    def __init__(self, file: TextIO, limits: Limits) -> None:
        self.row: list[str] = []
        self._file = file
        self._limits = limits
        self._number = 1
        self._size = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self._size += len(line)
        if self._size >= LONGEST_LINE:
            raise refusals.cell_too_long(self._number, self._limits)
        self.row.append(line)
        return line.replace("\0", "")

    def begin_row(self, number: int) -> None:
        """Forget the lines of the rows before."""
        self.row = []
        self._number, self._size = number, 0


def _is_declaration(lines: list[str]) -> bool:
    return len(lines) == 1 and DECLARED.match(lines[0]) is not None


def _check_closed(lines: list[str], delimiter: str, number: int) -> None:
    """Raise Invalid if the last row, made of `lines`, ends inside quotes: the lenient reader does not tell."""
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise refusals.unclosed_quote(number) from None
