"""Tables as CSV: RFC 4180, with nothing in it that a spreadsheet program would calculate."""

import re
from collections.abc import Iterable, Iterator, Sequence

from elsehu.sheets.delimiters import CANDIDATES
from elsehu.sheets.formulas import neutralised

_QUOTED = re.compile(f'["\r\n{"".join(CANDIDATES)}]')
BOM = "\ufeff"


def csv_lines(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, bom: bool = True, delimiter: str = ","
) -> Iterator[str]:
    """Yield the lines of a CSV file, each with its CR LF; `open_sheet` reads the same cells back.

    `bom` has Excel see that it is UTF-8; `delimiter` is one of `,` `;` tab `|` (Excel in Portuguese opens `;`).
    A cell that a program would calculate begins with an apostrophe, which `open_sheet` removes again.
    """
    if delimiter not in CANDIDATES:
        raise ValueError(f"the delimiter must be one of {CANDIDATES}")
    yield BOM * bom + _line(header, delimiter)
    for row in rows:
        yield _line(row, delimiter)


def _line(cells: Sequence[str], delimiter: str) -> str:
    line = delimiter.join(map(_cell, cells))
    return (line or '""') + "\r\n"


def _cell(cell: str) -> str:
    """Quote whatever has any delimiter in it, so that the delimiter of the file can be told for certain."""
    text = neutralised(cell)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
