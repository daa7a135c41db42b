"""The queue, oldest first, of the conversations that the caller may take."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.contracts.user import Caller, Scope
from elsehu.db import Row
from elsehu.desk.automatic.waiting import PLACE
from elsehu.desk.queue.schemas import QueueQuery
from elsehu.http.pages import aware_time, decode_cursor, page_of
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.conversations.views import conversation_views

WAITING = "FROM conversations v WHERE v.status = 'queued' AND"
COUNTED = f"SELECT v.id, {PLACE} AS since, row_number() OVER (ORDER BY {PLACE}, v.id) AS position"


async def queue_page(kernel: Kernel, caller: Caller, query: QueueQuery) -> dict[str, Any]:
    """Return a page of the queue. Raises Invalid for a bad cursor.

    It is read as a whole to count: a queue is what people have yet to do, so it is short beside what they have done.
    """
    filters = _filters(caller, query)
    total = await kernel.db.fetch_value(f"SELECT count(*) {WAITING} {filters.where()}", *filters.arguments)
    after = Filters(arguments=filters.arguments)
    if query.cursor:
        after.add("(since, id) > ({}, {})", *decode_cursor(query.cursor, (aware_time, UUID)))
    asked = f"{COUNTED} {WAITING} {filters.where()}"
    page = f"SELECT * FROM ({asked}) q WHERE {after.where()} ORDER BY position LIMIT {query.limit + 1:d}"  # noqa: S608
    rows = await kernel.db.fetch(page, *after.arguments)
    views = await conversation_views(kernel.db, [row["id"] for row in rows])
    now = kernel.now()
    shown = page_of(
        rows, query.limit, lambda row: (row["since"].isoformat(), row["id"]), lambda row: _item(row, views, now)
    )
    return {**shown, "total": total}


def _item(row: Row, views: Mapping[UUID, dict[str, Any]], now: datetime) -> dict[str, Any]:
    return {
        "position": row["position"],
        "queuedAt": isoformat(row["since"]),
        "waitedSeconds": max(0, round((now - row["since"]).total_seconds())),
        "conversation": views[row["id"]],
    }


def _filters(caller: Caller, query: QueueQuery) -> Filters:
    filters = Filters()
    if query.service_instance_id:
        filters.add("v.instance_id = {}", query.service_instance_id)
    if query.team_id == "none":
        filters.add("v.team_id IS NULL")
    elif query.team_id:
        filters.add("v.team_id = {}", query.team_id)
    if not caller.sees_all:
        _add_scope(filters, caller.scope)
    return filters


def _add_scope(filters: Filters, scope: Scope) -> None:
    teams = "v.team_id = ANY({}::uuid[])"
    if scope.instances is None:
        filters.add(f"(v.team_id IS NULL OR {teams})", list(scope.teams))
    else:
        numbers = "v.instance_id = ANY({}::uuid[])"
        filters.add(f"((v.team_id IS NULL AND {numbers}) OR {teams})", list(scope.instances), list(scope.teams))
