"""Reports as XLSX: typed cells (times, durations, numbers), the summary on a sheet of its own, memory constant.

XlsxWriter writes it: of the well-kept libraries the one without dependencies, which keeps one row in memory
(`constant_memory`) and was twice as fast as openpyxl's write-only mode.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from elsehu.plugin import PluginInfo, Report, ReportExporter, hookimpl
from elsehu_export_xlsx.book import Book

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SLICE = 256 * 1024


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo("export_xlsx", "Reports as XLSX")


@hookimpl
def report_exporters() -> list[ReportExporter]:
    """`xlsx`: an archive, whose first byte is known after the last row."""
    return [ReportExporter("xlsx", "Excel workbook", MEDIA_TYPE, "xlsx", write, streams=False)]


async def write(report: Report) -> AsyncIterator[bytes]:
    """Yield the workbook, once it is whole. It grows on the disk; what takes long happens in threads."""
    with TemporaryDirectory(prefix="elsehu-xlsx-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "report.xlsx"
        book = Book(path, report)
        book.add_summary(await report.summary())
        async for rows in report.rows:
            await asyncio.to_thread(book.add_rows, rows)
        await asyncio.to_thread(book.close)
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, SLICE):
                yield chunk
