"""Why a table cannot be read, in words that its owner can act on."""

from elsehu.contracts.errors import FieldError, Invalid, TooLarge, UnsupportedMedia
from elsehu.sheets.model import Limits

TAKEN = "Save it as XLSX or as CSV and upload that."


def _invalid(code: str, detail: str, problem: str) -> Invalid:
    return Invalid(code, detail, errors=[FieldError("file", problem)])


def empty() -> Invalid:
    """The file has no row with anything in it."""
    return _invalid("file_empty", "The file has no rows. Put a heading in its first row and data below it.", "is empty")


def not_a_table(what: str) -> UnsupportedMedia:
    """`what` says what the file is instead."""
    return UnsupportedMedia("file_not_a_table", f"The file is {what}, not a table that can be read. {TAKEN}")


def encrypted() -> UnsupportedMedia:
    """It needs a password."""
    detail = "The file is protected by a password. Save it without one (or as CSV) and upload that."
    return UnsupportedMedia("file_encrypted", detail)


def old_excel() -> UnsupportedMedia:
    """A workbook of Excel 97–2003."""
    detail = "The file is an old Excel workbook (.xls), or one with a password. " + TAKEN
    return UnsupportedMedia("file_old_excel", detail)


def damaged() -> Invalid:
    """It says to be XLSX, but does not hold together."""
    detail = "The file is damaged or was made by a program that writes XLSX wrongly. Open it, save it anew, try again."
    return _invalid("file_damaged", detail, "cannot be read")


def no_worksheet() -> Invalid:
    """A workbook of charts, or of hidden sheets only."""
    detail = "The workbook has no visible worksheet. Put the table on its first sheet and upload it again."
    return _invalid("file_empty", detail, "has no worksheet")


def unclosed_quote(number: int) -> Invalid:
    """In the row `number` a quotation mark opens and never closes."""
    detail = f'A quotation mark (") that opens in row {number} is never closed. Close or remove it and try again.'
    return _invalid("quote_unclosed", detail, f"row {number}: a quotation mark is never closed")


def cell_too_long(number: int, limits: Limits) -> Invalid:
    """A cell of the row `number` is longer than the limit."""
    detail = (
        f"Row {number} has a cell of more than {limits.cell_length:,} characters. Shorten it; "
        'if no cell is that long, look for a quotation mark (") that is not closed in or above that row.'
    )
    return _invalid("cell_too_long", detail, f"row {number}: a cell is too long")


def row_too_long(number: int, limits: Limits) -> Invalid:
    """The cells of the row `number` are longer together than the limit."""
    detail = f"Row {number} has more than {limits.row_length:,} characters. Shorten it, or leave columns out."
    return _invalid("row_too_long", detail, f"row {number}: is too long")


def too_large(limits: Limits) -> TooLarge:
    """More bytes than the limit."""
    return TooLarge("too_large", f"The file may have at most {limits.bytes:,} bytes. Split it into several.")


def inflates_too_much(limits: Limits) -> TooLarge:
    """A workbook that is small only while it is compressed."""
    detail = (
        f"Unpacked, the workbook has more than {limits.inflated_bytes:,} bytes. Save its table as CSV, or split it."
    )
    return TooLarge("file_inflates", detail)


def too_many_rows(limits: Limits) -> TooLarge:
    """More rows than the limit."""
    return TooLarge("too_many_rows", f"The file may have at most {limits.rows:,} rows. Split it into several.")


def too_many_columns(number: int, limits: Limits) -> TooLarge:
    """More columns than the limit, first seen in the row `number`."""
    detail = f"Row {number} has more than {limits.columns:,} columns. Remove those that are not needed."
    return TooLarge("too_many_columns", detail)
