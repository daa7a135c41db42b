"""The workbook: what is written into which cell."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from elsehu.plugin import ColumnKind, Report, Section, neutralised

MOST_ROWS = 1_000_000
"""On one sheet; Excel takes 1,048,576."""
LONGEST_TEXT = 32_767
"""Characters in a cell, Excel's limit."""
SECONDS_OF_A_DAY = 86_400
FORMATS: dict[ColumnKind, dict[str, Any]] = {
    ColumnKind.TEXT: {},
    ColumnKind.NUMBER: {"num_format": "#,##0"},
    ColumnKind.DURATION: {"num_format": "[h]:mm:ss"},
    ColumnKind.TIME: {"num_format": "yyyy-mm-dd hh:mm:ss"},
}
WIDTHS = {ColumnKind.TEXT: 22, ColumnKind.NUMBER: 12, ColumnKind.DURATION: 14, ColumnKind.TIME: 19}
HEADER = {
    "bold": True,
    "bg_color": "#e8eef5",
    "border_color": "#9db2c9",
    "bottom": 1,
    "text_wrap": True,
    "valign": "top",
}


class Book:
    """A workbook that grows row by row: one sheet with the summary, and as many as needed with the table."""

    def __init__(self, path: Path, report: Report) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(str(path), {**options, "strings_to_numbers": False})
        self._book.set_properties({"title": report.title})
        self._formats = {kind: self._book.add_format(one) for kind, one in FORMATS.items()}
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._header = self._book.add_format(HEADER)
        self._title = self._book.add_format({"bold": True, "font_size": 14})
        self._report = report
        self._zone = ZoneInfo(report.timezone)
        self._sheet: Any = None
        self._sheets = 0
        self._row = MOST_ROWS

    def add_summary(self, sections: Sequence[Section]) -> None:
        """Add the sheet with what the report is about and its summary."""
        sheet = self._book.add_worksheet("Summary")
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 30, 13)
        sheet.write_string(0, 0, self._report.title, self._title)
        row = 1
        for word, value in self._report.about:
            self._write(sheet, row, 0, word, ColumnKind.TEXT)
            self._write(sheet, row, 1, value, ColumnKind.TEXT)
            row += 1
        for section in sections:
            row = self._add_section(sheet, row + 1, section)

    def _add_section(self, sheet: Any, row: int, section: Section) -> int:
        for place, label in enumerate([section.title, *section.labels]):
            sheet.write_string(row, place, label, self._header)
        for item in section.items:
            row += 1
            self._write(sheet, row, 0, item.label, ColumnKind.TEXT)
            for place, value in enumerate(item.values, start=1):
                self._write(sheet, row, place, value, section.unit)
        return row + 1

    def add_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of the table, beginning another sheet where one is full."""
        for row in rows:
            if self._row >= MOST_ROWS:
                self._begin_sheet()
            self._row += 1
            for place, (value, column) in enumerate(zip(row, self._report.columns, strict=True)):
                self._write(self._sheet, self._row, place, value, column.kind)

    def close(self) -> None:
        """Write the file. A report without rows has its header."""
        if self._sheet is None:
            self._begin_sheet()
        self._book.close()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        name = self._report.title[:25] + (f" {self._sheets}" if self._sheets > 1 else "")
        self._sheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._report.columns):
            self._sheet.set_column(place, place, WIDTHS[column.kind])
            self._sheet.write_string(0, place, column.title, self._header)
        self._row = 0

    def _write(self, sheet: Any, row: int, place: int, value: Any, kind: ColumnKind) -> None:
        """Write a value as what it is. Text is text, whatever it begins with: nothing here is ever a formula."""
        if value is None or value == "":
            return
        if isinstance(value, datetime):
            sheet.write_datetime(row, place, value.astimezone(self._zone).replace(tzinfo=None), self._formats[kind])
        elif isinstance(value, str):
            is_harmless = neutralised(value) == value
            sheet.write_string(row, place, value[:LONGEST_TEXT], None if is_harmless else self._quoted)
        else:
            scaled = value / SECONDS_OF_A_DAY if kind is ColumnKind.DURATION else value
            sheet.write_number(row, place, scaled, self._formats[kind])
