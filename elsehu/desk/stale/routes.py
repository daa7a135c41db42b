"""HTTP operations by which supervisors close many conversations."""

from collections.abc import Sequence
from typing import Any

import structlog

from elsehu.contracts.errors import Unavailable
from elsehu.desk.stale import orders
from elsehu.desk.stale.carrying_out import SLICE, carry_out
from elsehu.desk.stale.jobs import CLOSE_STALE
from elsehu.desk.stale.schemas import CloseStale, ClosingRun
from elsehu.desk.stale.selection import order_of
from elsehu.desk.tabulations import active_tabulation
from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.jobs import enqueue

log = structlog.get_logger("elsehu.desk")

TAG = "conversations"
ALL = "/api/conversations/close-stale"
View = dict[str, Any]


async def close_stale(call: Call[CloseStale, NoQuery]) -> View:
    """A few are closed before the answer, many in the background: ask how far it came by its id."""
    kernel = call.kernel
    tabulation = await active_tabulation(kernel.db, call.body.tabulation_id)
    orders.require_complete(call.body, tabulation)
    order = order_of(call.body, kernel.now())
    total = await orders.count(kernel, order)
    if call.body.dry_run:
        return orders.counted_view(kernel, total)
    async with call.transaction() as uow:
        order_id = await orders.give_order(uow, call.caller, order, total)
        origin = audit.origin(call.request)
        await audit.record(uow, call.caller, "stale_closed", f"bulk_closing:{order_id}", dict(order), **origin)
    if total <= SLICE:
        await carry_out(kernel, order_id)
    else:
        try:
            await enqueue(kernel, CLOSE_STALE, {"id": str(order_id)})
        except Unavailable:
            log.warning("bulk_closing_waits", order=str(order_id))  # the periodic job finds it
    return orders.run_view(await orders.get(kernel, order_id))


async def show_run(call: Call[None, NoQuery]) -> View:
    """How far an order came; it is forgotten after 30 days."""
    return orders.run_view(await orders.get(call.kernel, call.path_id()))


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST", ALL, close_stale, "Close stale conversations", TAG, SUPERVISORS,
        body=CloseStale, answer=ClosingRun,
    ),
    Operation(
        "GET", ALL + "/{id}", show_run, "Show how far a closing of stale conversations came", TAG, SUPERVISORS,
        answer=ClosingRun, refusals=(404,),
    ),
)  # fmt: skip
