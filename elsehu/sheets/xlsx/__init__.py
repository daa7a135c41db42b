"""Reading XLSX (ECMA-376, SpreadsheetML): a zip of XML parts, of which few are needed.

Read with the standard library's expat and zlib, piece by piece, because what libraries do cannot be bounded from
outside: some build the whole grid up to the farthest cell, some keep every shared string.
"""

from elsehu.sheets.xlsx.reading import xlsx_rows

__all__ = ["xlsx_rows"]
