"""Background jobs: carrying out orders, and giving the one of `[desk] close_stale_hours`."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import Invalid
from elsehu.db import Row
from elsehu.desk.automatic.giving import AUTOMAT
from elsehu.desk.stale import orders
from elsehu.desk.stale.carrying_out import carry_out
from elsehu.desk.stale.schemas import CloseStale
from elsehu.desk.stale.selection import order_of
from elsehu.desk.tabulations import SHOWN
from elsehu.jobs import Job
from elsehu.kernel import Kernel

NAMED = f"SELECT {SHOWN} FROM tabulations WHERE is_active AND lower(name) = lower($1) LIMIT 2"  # noqa: S608


async def close_stale(kernel: Kernel, arguments: Mapping[str, Any]) -> None:
    """Carry out the order that is named; by the clock: what was left behind, and what the rule says."""
    if "id" in arguments:
        await carry_out(kernel, UUID(arguments["id"]))
        return
    for order_id in await orders.left_behind(kernel):
        await carry_out(kernel, order_id)
    await orders.forget(kernel)
    await _by_rule(kernel)


async def _by_rule(kernel: Kernel) -> None:
    hours, name = kernel.settings.desk.close_stale_hours, kernel.settings.desk.close_stale_tabulation
    if hours is None or name is None:
        return
    tabulation = await _named(kernel, name)
    request = CloseStale(tabulationId=tabulation["id"], idleHours=hours)
    orders.require_complete(request, tabulation)
    order = order_of(request, kernel.now())
    total = await orders.count(kernel, order)
    if total:
        async with kernel.db.transaction() as uow:
            order_id = await orders.give_order(uow, AUTOMAT, order, total)
        await carry_out(kernel, order_id)


async def _named(kernel: Kernel, name: str) -> Row:
    rows = await kernel.db.fetch(NAMED, name)
    if len(rows) != 1:
        raise Invalid(
            "invalid_tabulation",
            f"[desk] close_stale_tabulation names {name!r}, which is no active tabulation, or more than one. "
            "Correct the name; GET /api/tabulations lists them.",
        )
    return rows[0]


CLOSE_STALE = Job("desk.close_stale", close_stale, "*/10 * * * *", "low")
JOBS: Sequence[Job] = (CLOSE_STALE,)
