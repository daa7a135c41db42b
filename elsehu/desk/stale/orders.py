"""Orders to close stale conversations: given, looked at, and found again where they were left."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import Invalid, NotFound
from elsehu.contracts.rules import Closing
from elsehu.contracts.user import Caller, Role
from elsehu.db import Row, UnitOfWork
from elsehu.desk.closing_rules import missing
from elsehu.desk.stale.schemas import CloseStale
from elsehu.desk.stale.selection import Order, stale
from elsehu.ids import new_id
from elsehu.kernel import Kernel

KEPT = timedelta(days=30)
NOBODY = UUID(int=0)
SHOWN = "SELECT id, status, total, closed, refused, skipped, error, created_at, finished_at FROM bulk_closings"
INSERT = "INSERT INTO bulk_closings (id, request, total, actor) VALUES ($1, $2::jsonb, $3, $4::jsonb)"
LEFT = """
SELECT id FROM bulk_closings WHERE finished_at IS NULL AND touched_at < now() - interval '1 minute' ORDER BY created_at
"""


def run_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the REST shape of how far an order came."""
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "total": row["total"],
        "closed": row["closed"],
        "refused": row["refused"],
        "skipped": row["skipped"],
        "error": row["error"],
        "createdAt": isoformat(row["created_at"]),
        "finishedAt": row["finished_at"] and isoformat(row["finished_at"]),
    }


def counted_view(kernel: Kernel, total: int) -> dict[str, Any]:
    """Return the REST shape of an order that was only counted."""
    none = dict.fromkeys(("closed", "refused", "skipped"), 0)
    now = isoformat(kernel.now())
    return {"id": None, "status": "counted", "total": total, **none, "error": None, "createdAt": now, "finishedAt": now}


async def count(kernel: Kernel, order: Order) -> int:
    """Return how many conversations an order means now."""
    filters = stale(order)
    sql = f"SELECT count(*) FROM conversations v WHERE {filters.where()}"  # noqa: S608
    total: int = await kernel.db.fetch_value(sql, *filters.arguments)
    return total


def require_complete(request: CloseStale, tabulation: Mapping[str, Any]) -> None:
    """Raise Invalid where the tabulation needs fields or notes that the order does not give."""
    closing = Closing(NOBODY, NOBODY, tabulation["id"], tabulation["name"], request.notes or None, request.fields)
    lacking = missing(tabulation, closing)
    if lacking is not None:
        raise Invalid("invalid_request", lacking.detail, errors=lacking.errors)


async def give_order(uow: UnitOfWork, caller: Caller, order: Order, total: int) -> UUID:
    """Keep an order, to be carried out after the commit; return its id."""
    order_id = new_id()
    actor = {"user_id": caller.user_id and str(caller.user_id), "name": caller.name}
    await uow.execute(INSERT, order_id, orjson.dumps(order).decode(), total, orjson.dumps(actor).decode())
    return order_id


def actor_of(row: Mapping[str, Any]) -> Caller:
    """Return whose order it is."""
    actor = orjson.loads(row["actor"])
    return Caller(Role.SUPERVISOR, actor["user_id"] and UUID(actor["user_id"]), actor["name"])


async def get(kernel: Kernel, order_id: UUID) -> Row:
    """Return an order. Raises NotFound."""
    row = await kernel.db.fetch_row(f"{SHOWN} WHERE id = $1", order_id)
    if row is None:
        raise NotFound("bulk_closing_not_found", "There is no such closing of many conversations.")
    return row


async def left_behind(kernel: Kernel) -> list[UUID]:
    """Return the orders that nobody has worked on for a minute."""
    return [row["id"] for row in await kernel.db.fetch(LEFT)]


async def forget(kernel: Kernel) -> None:
    """Forget orders that were carried out long ago."""
    await kernel.db.execute("DELETE FROM bulk_closings WHERE finished_at < $1", kernel.now() - KEPT)
