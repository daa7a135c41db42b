"""HTTP operations of reports: for supervisors."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from elsehu.http.operations import SUPERVISORS, Call, Handler, Operation
from elsehu.http.schemas import ApiModel
from elsehu.kernel import Kernel
from elsehu.reporting import kpis, live, volume
from elsehu.reporting.asking import FINISHED, OPENED, Asked, asked_by
from elsehu.reporting.exports.routes import OPERATIONS as EXPORTS
from elsehu.reporting.finished import finished_page, opened_page
from elsehu.reporting.schemas import (
    FinishedPage,
    InstancesOut,
    KpisOut,
    LanesOut,
    LiveOut,
    LiveQuery,
    OpenedPage,
    OperatorsOut,
    ReportPageQuery,
    ReportQuery,
    TabulationsOut,
    VolumeOut,
    VolumeQuery,
)

TAG = "reports"
View = dict[str, Any]


async def list_finished(call: Call[None, ReportPageQuery]) -> View:
    """The list behind every figure, those closed last first. What each column means is in docs/reports.md."""
    return await finished_page(call.kernel, asked_by(call.kernel, call.query), call.query.limit, call.query.cursor)


async def list_opened(call: Call[None, ReportPageQuery]) -> View:
    """Conversations by the time at which they were opened, finished or not, the newest first."""
    return await opened_page(call.kernel, asked_by(call.kernel, call.query), call.query.limit, call.query.cursor)


async def show_volume(call: Call[None, VolumeQuery]) -> View:
    """How many conversations were opened and closed in each bucket of a time zone's clock."""
    return await volume.volume(call.kernel, asked_by(call.kernel, call.query), call.query.bucket)


async def show_live(call: Call[None, LiveQuery]) -> View:
    """Open conversations now: the queue by age, the load of numbers and operators."""
    return await live.live(call.kernel, call.query.service_instance_id)


def _figures(
    name: str, report: Callable[[Kernel, Asked], Awaitable[View]], summary: str, answer: type[ApiModel]
) -> Operation:
    async def handler(call: Call[None, ReportQuery]) -> View:
        return await report(call.kernel, asked_by(call.kernel, call.query))

    handler.__doc__ = report.__doc__
    return _report(f"/api/reports/{name}", handler, summary, ReportQuery, answer)


def _report(path: str, handler: Handler, summary: str, query: type[ApiModel], answer: type[ApiModel]) -> Operation:
    return Operation("GET", path, handler, summary, TAG, SUPERVISORS, query=query, answer=answer)


OPERATIONS: Sequence[Operation] = (
    _report(FINISHED, list_finished, "List finished conversations with their figures", ReportPageQuery, FinishedPage),
    _report(OPENED, list_opened, "List conversations by their opening", ReportPageQuery, OpenedPage),
    _figures("kpis", kpis.kpis, "Show the figures", KpisOut),
    _figures("operators", kpis.by_operator, "Show each operator's own part", OperatorsOut),
    _figures("tabulations", kpis.by_tabulation, "Show the figures by tabulation", TabulationsOut),
    _figures("service-instances", kpis.by_instance, "Show the figures by number", InstancesOut),
    _figures("campaigns", kpis.by_lane, "Show the figures by campaign", LanesOut),
    _report("/api/reports/volume", show_volume, "Show how much there was when", VolumeQuery, VolumeOut),
    _report("/api/reports/live", show_live, "Show open conversations now", LiveQuery, LiveOut),
    *EXPORTS,
)
