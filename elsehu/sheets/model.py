"""A table that somebody uploaded: its columns, its rows, and how much of it we take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may have.

    Attributes:
        bytes: its size, in bytes.
        rows: rows below the heading that are not empty.
        columns: columns with anything in them.
        cell_length: characters of one cell; the default is what spreadsheet programs take.
        row_length: characters of all cells of a row together.
        inflated_bytes: bytes of all that is read of an XLSX file, once inflated; and characters of all its cells, for
            many may refer to one text.
    """

    bytes: int = 100 * MIB
    rows: int = 500_000
    columns: int = 500
    cell_length: int = 32_767
    row_length: int = 131_072
    inflated_bytes: int = 512 * MIB


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty.

    Attributes:
        number: which row of the file it is, as a spreadsheet program counts: from 1, with heading and empty rows.
        cells: at least one for each column; more where the row is longer than the heading.
    """

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open table.

    Attributes:
        columns: the headings, each unlike the others; where the file has none, `Column 1`, `Column 2`, …
        has_heading: whether the first row was a heading. Else it is the first of `rows`.
        rows: to be gone through once, while the file is open. Raises Invalid and TooLarge where one cannot be read.
    """

    columns: Sequence[str]
    has_heading: bool
    rows: Iterator[Row]
