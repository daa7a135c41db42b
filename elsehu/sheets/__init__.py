"""Tables that people upload and download: CSV and XLSX, read little by little whatever is inside."""

from elsehu.sheets.csv_writing import csv_lines
from elsehu.sheets.headings import Meaning, guess_columns
from elsehu.sheets.model import DEFAULT_LIMITS, Limits, Row, Sheet
from elsehu.sheets.opening import open_sheet

__all__ = ["DEFAULT_LIMITS", "Limits", "Meaning", "Row", "Sheet", "csv_lines", "guess_columns", "open_sheet"]
