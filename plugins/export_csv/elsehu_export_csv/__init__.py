"""Reports as CSV: RFC 4180 for programs, and as Excel in Brazil (and much of Europe) opens it by a double click."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from elsehu.plugin import Column, ColumnKind, PluginInfo, Report, ReportExporter, csv_lines, hookimpl, isoformat

Cell = Callable[[object, ColumnKind, ZoneInfo], str]


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo("export_csv", "Reports as CSV, also for Excel in Brazil")


@hookimpl
def report_exporters() -> list[ReportExporter]:
    """`csv`: comma, point, UTC. `csv_excel`: semicolon, decimal comma, a mark for UTF-8, times of the report's zone."""
    plain = partial(write, delimiter=",", bom=False, cell=plain_cell)
    excel = partial(write, delimiter=";", bom=True, cell=excel_cell)
    media_type = "text/csv; charset=utf-8"
    return [
        ReportExporter("csv", "CSV (RFC 4180)", media_type, "csv", plain),
        ReportExporter("csv_excel", "CSV for Excel in Portuguese", media_type, "csv", excel),
    ]


async def write(report: Report, *, delimiter: str, bom: bool, cell: Cell) -> AsyncIterator[bytes]:
    """Yield the table, some hundred rows at a time."""
    zone = ZoneInfo(report.timezone)
    kinds = [column.kind for column in report.columns]
    header = [_title(column) for column in report.columns]
    yield "".join(csv_lines(header, (), bom=bom, delimiter=delimiter)).encode()
    async for rows in report.rows:
        lines = [[cell(value, kind, zone) for value, kind in zip(row, kinds, strict=True)] for row in rows]
        yield _lines(lines, delimiter)


def _lines(rows: Sequence[Sequence[str]], delimiter: str) -> bytes:
    if not rows:
        return b""
    return "".join(csv_lines(rows[0], rows[1:], bom=False, delimiter=delimiter)).encode()


def _title(column: Column) -> str:
    return f"{column.title} (s)" if column.kind is ColumnKind.DURATION else column.title


def plain_cell(value: object, kind: ColumnKind, _: ZoneInfo) -> str:
    """Return a value as programs read it: times in UTC, as the API has them."""
    if isinstance(value, datetime):
        return isoformat(value.astimezone(UTC))
    return "" if value is None else _number(value, ".")


def excel_cell(value: object, kind: ColumnKind, zone: ZoneInfo) -> str:
    """Return a value as Excel in Portuguese takes it for what it is."""
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else _number(value, ",")


def _number(value: object, point: str) -> str:
    return f"{value:.3f}".replace(".", point) if isinstance(value, float) else str(value)
