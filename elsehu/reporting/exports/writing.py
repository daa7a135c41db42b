"""A report as exporters get it: what it is about in words, its table as a stream, its summary if they want that."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.report import Report, ReportExporter
from elsehu.kernel import Kernel
from elsehu.reporting.asking import Asked, asked_by, prepare
from elsehu.reporting.exports.schemas import ExportQuery
from elsehu.reporting.exports.summary import summary
from elsehu.reporting.exports.tables import Rows, table_of

Told = Callable[[int], Awaitable[None]]

COUNT = "SELECT count(*) FROM report_conversations r WHERE {where}"
NAMES = {
    "operator_id": ("Operator", "SELECT name FROM users WHERE id = $1"),
    "handled_by": ("Handled by", "SELECT name FROM users WHERE id = $1"),
    "service_instance_id": ("Number", "SELECT name FROM service_instances WHERE id = $1"),
    "tabulation_id": ("Tabulation", "SELECT name FROM tabulations WHERE id = $1"),
    "lane_id": ("Campaign", "SELECT $1::uuid::text"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """A report in a format: what writes it, and what the file is called."""

    report: Report
    exporter: ReportExporter
    file_name: str

    def chunks(self) -> AsyncIterator[bytes]:
        """Write it."""
        return self.exporter.write(self.report)


async def export_of(kernel: Kernel, query: ExportQuery, told: Told | None = None) -> Export:
    """Return what is asked for, nothing of it written yet. `told` hears how many rows have gone into it.

    Raises Invalid where no plugin has the format, or for what the report itself refuses.
    """
    exporter = exporter_of(kernel, query.format)
    asked = asked_by(kernel, query)
    await prepare(kernel, asked)
    table = table_of(query.report, query.bucket)
    report = Report(
        name=query.report,
        title=table.title,
        about=await _about(kernel, asked),
        columns=table.columns,
        rows=_counted(table.rows(kernel, asked), told),
        total=await _total(kernel, asked) if query.report == "finished-conversations" else 0,
        timezone=asked.zone.key,
        summary=partial(summary, kernel, asked),
    )
    return Export(report, exporter, _file_name(query.report, asked, exporter.extension))


def exporter_of(kernel: Kernel, name: str) -> ReportExporter:
    """Return a format by its name. Raises Invalid."""
    exporters: Mapping[str, ReportExporter] = kernel.plugins.exporters()
    if name not in exporters:
        known = ", ".join(exporters) or "none; enable an export plugin in [plugins] enabled"
        problem = FieldError("format", f"is no format of this installation (there are: {known})")
        raise Invalid("unknown_format", "The report cannot be had in this format; see errors.", errors=[problem])
    return exporters[name]


async def _total(kernel: Kernel, asked: Asked) -> int:
    filters = asked.filters()
    total: int = await kernel.db.fetch_value(COUNT.format(where=filters.where()), *filters.arguments)
    return total


async def _counted(batches: AsyncIterator[Rows], told: Told | None) -> AsyncIterator[Rows]:
    rows = 0
    async for batch in batches:
        yield batch
        rows += len(batch)
        if told is not None:
            await told(rows)


async def _about(kernel: Kernel, asked: Asked) -> Sequence[tuple[str, str]]:
    times = [("From", asked.start), ("To", asked.end)]
    about = [(word, _shown(at, asked)) for word, at in times if at]
    for name, value in (asked.only or {}).items():
        word, sql = NAMES[name]
        about.append((word, str(await kernel.db.fetch_value(sql, value) or value)))
    clock = "business hours" if asked.clock == "business" else "all time"
    return [*about, ("Time zone", asked.zone.key), ("Durations count", clock), ("Made", _shown(kernel.now(), asked))]


def _shown(at: datetime, asked: Asked) -> str:
    return f"{at.astimezone(asked.zone):%Y-%m-%d %H:%M}"


def _file_name(report: str, asked: Asked, extension: str) -> str:
    days = [f"{at.astimezone(asked.zone):%Y-%m-%d}" for at in (asked.start, asked.end) if at]
    return "_".join([report, *days]) + f".{extension}"
