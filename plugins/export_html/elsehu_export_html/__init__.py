"""Reports as one page for managers: figures, charts and the table, in a single file that needs nothing else."""

from collections.abc import AsyncIterator

from elsehu.plugin import PluginInfo, Report, ReportExporter, hookimpl
from elsehu_export_html import page

MOST_ROWS = 500
"""Of the table: who wants all of a long one wants a spreadsheet."""


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo("export_html", "Reports as a page with charts, to be read and printed")


@hookimpl
def report_exporters() -> list[ReportExporter]:
    """`html`: one page."""
    return [ReportExporter("html", "Page for managers", "text/html; charset=utf-8", "html", write)]


async def write(report: Report) -> AsyncIterator[bytes]:
    """Yield the page: what it is about, the summary, and the first rows of the table."""
    yield page.head(report).encode()
    for section in await report.summary():
        yield page.section(section).encode()
    yield page.table_head(report.columns).encode()
    shown, is_cut = 0, False
    async for rows in report.rows:
        some = rows[: MOST_ROWS - shown]
        yield page.table_rows(some, report.columns, report.timezone).encode()
        shown += len(some)
        is_cut = shown >= MOST_ROWS and (len(rows) > len(some) or report.total > shown)
        if shown >= MOST_ROWS:
            break
    yield page.tail(shown, report.total if is_cut else shown).encode()
