"""What a workbook says of its parts: where its first worksheet is, which formats are dates."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from elsehu.sheets import refusals
from elsehu.sheets.xlsx.package import Package
from elsehu.sheets.xlsx.xml import elements

RELATIONS = "_rels/.rels"
MOST_RELATIONS = 10_000
MOST_STYLES = 65_536
"""Excel's own limit is 65,490."""

DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
"""Built-in formats of dates and times (ECMA-376 part 1, 18.8.30), those of East Asia among them."""

_NO_PLACES = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_DATE_PLACES = re.compile(r"[dmyhs]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Workbook:
    """Where things are: parts of the package by name.

    `dates` says of each cell format whether it shows a date. `from_1904`: days are counted from there.
    """

    worksheet: str
    shared_strings: str | None
    dates: Sequence[bool]
    from_1904: bool


def read_workbook(package: Package) -> Workbook:
    """Find the first visible worksheet and what it needs. Raises Invalid (damaged, no worksheet)."""
    main = _relations(package, RELATIONS, "").get("/officeDocument")
    if main is None:
        raise refusals.not_a_table("a zip archive or a document of another program")
    folder, name = posixpath.split(main[0])
    relations = f"{folder}/_rels/{name}.rels".lstrip("/")
    targets = _relations(package, relations, folder, by_id=True)
    by_type = _relations(package, relations, folder)
    worksheet, from_1904 = None, False
    for element, attributes in elements(package.pieces(main[0]), {"workbookPr", "sheet"}):
        if element == "workbookPr":
            from_1904 = attributes.get("date1904") in ("1", "true")
        elif worksheet is None and attributes.get("state", "visible") == "visible":
            target = targets.get(next((value for key, value in attributes.items() if key.endswith(":id")), ""))
            worksheet = target[0] if target and target[1].endswith("/worksheet") else None
    if worksheet is None:
        raise refusals.no_worksheet()
    strings, styles = (by_type.get(kind, ("", ""))[0] for kind in ("/sharedStrings", "/styles"))
    dates = _dates(package, styles) if styles in package else ()
    return Workbook(worksheet, strings if strings in package else None, dates, from_1904)


def _relations(package: Package, part: str, folder: str, *, by_id: bool = False) -> dict[str, tuple[str, str]]:
    """Return (part, type) of the relations of a part, by the end of their type or by their id."""
    found: dict[str, tuple[str, str]] = {}
    if part not in package:
        return found
    for _, attributes in islice(elements(package.pieces(part), {"Relationship"}), MOST_RELATIONS):
        kind, target = attributes.get("Type", ""), attributes.get("Target", "")
        path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        found[attributes.get("Id", "") if by_id else "/" + kind.rpartition("/")[2]] = (path, kind)
    return found


def _dates(package: Package, part: str) -> list[bool]:
    own: dict[str, bool] = {}
    dates: list[bool] = []
    in_cell_formats = False
    for name, attributes in elements(package.pieces(part), {"numFmt", "cellStyleXfs", "cellXfs", "cellStyles", "xf"}):
        if name == "numFmt" and len(own) < MOST_STYLES:
            own[attributes.get("numFmtId", "")] = is_date_format(attributes.get("formatCode", ""))
        elif name == "xf" and in_cell_formats and len(dates) < MOST_STYLES:
            number = attributes.get("numFmtId", "0")
            dates.append(own.get(number, number.isdecimal() and int(number[:9]) in DATE_FORMATS))
        elif name != "xf":
            in_cell_formats = name == "cellXfs"
    return dates


def is_date_format(code: str) -> bool:
    """Tell whether a number format shows a date or a time: `dd/mm/yyyy` does, `#,##0 "days"` does not."""
    return _DATE_PLACES.search(_NO_PLACES.sub("", code.split(";", 1)[0])) is not None
