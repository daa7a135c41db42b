"""Cells that a spreadsheet program would take for a formula.

What is exported begins such a cell with an apostrophe, which makes it text everywhere; what is uploaded loses it
again. So a table that we wrote comes back as it was, with its `+5511…` and with whatever began with an apostrophe.
"""

import re

APOSTROPHE = "'"
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # the last four: full-width, which some programs take for the others


def neutralised(cell: str) -> str:
    """Return `cell` so that no program calculates it."""
    return APOSTROPHE + cell if _FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """Return what `neutralised` was given."""
    return cell[1:] if cell.startswith(APOSTROPHE) and _FORMULA.match(cell) else cell
