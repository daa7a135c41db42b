"""Carrying an order out, a slice at a time: each is one transaction, so that whoever dies in between loses nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu import events
from elsehu.contracts.user import Caller
from elsehu.db import Row, UnitOfWork
from elsehu.desk.closing_rules import misplaced
from elsehu.desk.holding import Held
from elsehu.desk.stale.orders import actor_of
from elsehu.desk.stale.selection import Order, closing_of, stale
from elsehu.desk.tabulations import SHOWN as TABULATION
from elsehu.kernel import Kernel

SLICE = 200
FIRST = UUID(int=0)
HOLD_ORDER = """
SELECT id, request, actor, after_id FROM bulk_closings WHERE id = $1 AND finished_at IS NULL FOR UPDATE SKIP LOCKED
"""
HOLD_TABULATION = f"SELECT {TABULATION} FROM tabulations WHERE id = $1 AND is_active FOR KEY SHARE"  # noqa: S608
CLOSE = """
UPDATE conversations SET status = 'closed', closed_at = $2, closed_by = $3, tabulation_id = $4,
    tabulation_name = $5, closing_notes = $6, closing_fields = $7::jsonb
WHERE id = ANY($1::uuid[])
"""
RECORD = """
INSERT INTO conversation_timeline (conversation_id, action, actor_id, actor_name, details, at)
SELECT id, 'closed', $2, $3, $4::jsonb, clock_timestamp() FROM unnest($1::uuid[]) AS n(id)
"""
HELD = """
SELECT v.id, v.status, v.assigned_to, v.team_id, v.contact_id, v.instance_id, v.tags, v.merged_into FROM conversations v
"""
LOCKED = "ORDER BY v.id FOR UPDATE OF v SKIP LOCKED"
PROGRESS = """
UPDATE bulk_closings SET status = $2::text, closed = closed + $3, refused = refused + $4, skipped = skipped + $5,
    after_id = coalesce($6, after_id), error = $7, touched_at = now(),
    finished_at = CASE WHEN $2::text <> 'running' THEN now() END
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class _Work:
    """An order with the row of its tabulation, who gave it, and after which conversation to go on."""

    id: UUID
    order: Order
    tabulation: Row
    caller: Caller
    after: UUID

    def may_close(self, kernel: Kernel, row: Row) -> bool:
        closing = closing_of(self.order, self.tabulation, row, self.caller.user_id)
        return (misplaced(self.tabulation, closing) or kernel.plugins.tabulation_rules(closing)) is None


async def carry_out(kernel: Kernel, order_id: UUID) -> None:
    """Close what an order means, from where it was left. Somebody else's order in work is left to them."""
    while await _carry_out_slice(kernel, order_id):
        pass


async def _carry_out_slice(kernel: Kernel, order_id: UUID) -> bool:
    """Close the next few; say whether there may be more."""
    async with kernel.db.transaction() as uow:
        work = await _taken_up(uow, order_id)
        if work is None:
            return False
        ids, held = await _next(uow, work)
        allowed = [row for row in held if work.may_close(kernel, row)]
        await _close(uow, work, allowed, kernel.now())
        is_last = len(ids) < SLICE
        counted = (len(allowed), len(held) - len(allowed), len(ids) - len(held))
        status = "finished" if is_last else "running"
        await uow.execute(PROGRESS, order_id, status, *counted, ids[-1] if ids else None, None)
        return not is_last


async def _taken_up(uow: UnitOfWork, order_id: UUID) -> _Work | None:
    """Hold an order that is not carried out yet. Without its tabulation it has failed."""
    row = await uow.fetch_row(HOLD_ORDER, order_id)
    if row is None:
        return None
    order: Order = orjson.loads(row["request"])
    tabulation = await uow.fetch_row(HOLD_TABULATION, UUID(order["tabulation_id"]))
    if tabulation is None:
        error = "The tabulation was deactivated meanwhile. Order it anew with another one."
        await uow.execute(PROGRESS, order_id, "failed", 0, 0, 0, None, error)
        return None
    return _Work(order_id, order, tabulation, actor_of(row), row["after_id"] or FIRST)


async def _next(uow: UnitOfWork, work: _Work) -> tuple[list[UUID], list[Row]]:
    """Return the next stale conversations, and of them, locked, those that are so still and that nobody else holds."""
    filters = stale(work.order)
    filters.add("v.id > {}", work.after)
    found = f"SELECT v.id FROM conversations v WHERE {filters.where()} ORDER BY v.id LIMIT {SLICE}"  # noqa: S608
    ids = [row["id"] for row in await uow.fetch(found, *filters.arguments)]
    again = stale(work.order)
    again.add("v.id = ANY({}::uuid[])", ids)
    return ids, await uow.fetch(f"{HELD} WHERE {again.where()} {LOCKED}", *again.arguments)


async def _close(uow: UnitOfWork, work: _Work, rows: Sequence[Row], now: datetime) -> None:
    if not rows:
        return
    order, caller, tabulation = work.order, work.caller, work.tabulation
    ids = [row["id"] for row in rows]
    notes, fields = order["notes"] or None, orjson.dumps(order["fields"]).decode()
    await uow.execute(CLOSE, ids, now, caller.user_id, tabulation["id"], tabulation["name"], notes, fields)
    details: dict[str, Any] = {
        "tabulation": {"id": str(tabulation["id"]), "name": tabulation["name"]},
        "notes": notes,
        "fields": order["fields"],
        "bulk": str(work.id),
    }
    await uow.execute(RECORD, ids, caller.user_id, caller.name, orjson.dumps(details).decode())
    closed = [Held(**{**row, "tags": tuple(row["tags"]), "owner_name": None}) for row in rows]
    await events.record(uow, [one.moved("conversation:closed") for one in closed])
