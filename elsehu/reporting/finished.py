"""The lists of conversations behind the figures: finished ones, and those that were opened."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.db import Database, Row
from elsehu.http.pages import aware_time, decode_cursor, page_of
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.names import SHOWN_NAME
from elsehu.phones import to_e164
from elsehu.reporting.asking import Asked, prepare
from elsehu.reporting.facts import FIGURES
from elsehu.reporting.schemas import camel

COUNTS = ("messages_in", "messages_out", "replies", "responses", "answers", "transfers", "reopenings")
PAGE = f"""
SELECT r.*, {SHOWN_NAME} AS contact_name, c.id AS contact_id, c.phone, i.name AS instance_name, u.name AS operator_name,
       v.tabulation_name
FROM (SELECT * FROM report_conversations r WHERE {{where}} ORDER BY r.closed_at DESC, r.id DESC LIMIT {{limit}}) r
JOIN conversations v ON v.id = r.id
JOIN contacts c ON c.id = v.contact_id
JOIN service_instances i ON i.id = r.instance_id
LEFT JOIN users u ON u.id = r.operator_id
ORDER BY r.closed_at DESC, r.id DESC
"""  # noqa: S608 - a constant
OPENED = f"""
SELECT r.*, v.status, {SHOWN_NAME} AS contact_name, c.id AS contact_id, c.phone, i.name AS instance_name,
       u.name AS operator_name
FROM (SELECT * FROM ({{ranges}}) r ORDER BY r.opened_at DESC, r.id DESC LIMIT {{limit}}) r
JOIN conversations v ON v.id = r.id
JOIN contacts c ON c.id = v.contact_id
JOIN service_instances i ON i.id = r.instance_id
LEFT JOIN users u ON u.id = r.operator_id
ORDER BY r.opened_at DESC, r.id DESC
"""  # noqa: S608 - a constant
FINISHED_RANGE = """
(SELECT r.id, r.instance_id, r.operator_id, r.opened_at, r.closed_at FROM report_conversations r
 WHERE {where} ORDER BY r.opened_at DESC, r.id DESC LIMIT {limit})
"""
OPEN = """
SELECT id, instance_id, assigned_to AS operator_id, opened_at, NULL::timestamptz AS closed_at
FROM conversations WHERE status IN ('queued', 'assigned')
"""
OPEN_RANGE = f"(SELECT r.* FROM ({OPEN}) r WHERE {{where}})"  # noqa: S608 - a constant
KNOWN_OF_OPEN = {"operator_id", "service_instance_id"}
"""What can be said of a conversation before it is closed."""


async def finished_page(kernel: Kernel, asked: Asked, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of finished conversations, those closed last first. Raises Invalid for a bad cursor."""
    await prepare(kernel, asked)
    rows = await _finished(kernel.db, asked, limit + 1, _position(cursor))
    return page_of(rows, limit, _key, lambda row: finished_view(row, asked.suffix))


async def all_finished(db: Database, asked: Asked, batch: int) -> AsyncIterator[Sequence[Row]]:
    """Yield all finished conversations, `batch` at a time, none of them held for longer."""
    position: Sequence[Any] | None = None
    while rows := await _finished(db, asked, batch, position):
        yield rows
        position = (rows[-1]["closed_at"], rows[-1]["id"])


async def _finished(db: Database, asked: Asked, limit: int, position: Sequence[Any] | None) -> list[Row]:
    filters = asked.filters()
    if position:
        filters.add("(r.closed_at, r.id) < ({}, {})", *position)
    return await db.fetch(PAGE.format(where=filters.where(), limit=f"{limit:d}"), *filters.arguments)


async def opened_page(kernel: Kernel, asked: Asked, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of the conversations that were opened then, finished or not. Raises Invalid for a bad cursor."""
    await prepare(kernel, asked)
    filters = asked.filters("r.opened_at")
    if position := _position(cursor):
        filters.add("(r.opened_at, r.id) < ({}, {})", *position)
    wanted = f"{limit + 1:d}"
    ranges = [FINISHED_RANGE.format(where=filters.where(), limit=wanted)]
    if is_known_of_open(asked):
        ranges.append(OPEN_RANGE.format(where=filters.where()))
    sql = OPENED.format(ranges=" UNION ALL ".join(ranges), limit=wanted)
    rows = await kernel.db.fetch(sql, *filters.arguments)
    return page_of(rows, limit, lambda row: (row["opened_at"].isoformat(), row["id"]), opened_view)


def is_known_of_open(asked: Asked) -> bool:
    """Whether open conversations can be meant: of them nobody knows yet how they will be closed."""
    return set(asked.only or {}) <= KNOWN_OF_OPEN


def _position(cursor: str | None) -> list[Any] | None:
    return decode_cursor(cursor, (aware_time, UUID)) if cursor else None


def _key(row: Row) -> Sequence[Any]:
    return row["closed_at"].isoformat(), row["id"]


def finished_view(row: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """Return a finished conversation's REST shape, its durations on the clock with this suffix."""
    return {
        **_who(row),
        "tabulation": _named(row["tabulation_id"], row["tabulation_name"]),
        "laneId": row["lane_id"] and str(row["lane_id"]),
        "openedAt": isoformat(row["opened_at"]),
        "assignedAt": _time(row["assigned_at"]),
        "firstReplyAt": _time(row["first_reply_at"]),
        "closedAt": isoformat(row["closed_at"]),
        **{camel(name): seconds(row[name + suffix]) for name in FIGURES},
        **{camel(name): row[name] for name in COUNTS},
    }


def opened_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an opened conversation's REST shape."""
    times = {"openedAt": isoformat(row["opened_at"]), "closedAt": _time(row["closed_at"])}
    return {**_who(row), "status": row["status"], **times}


def _who(row: Mapping[str, Any]) -> dict[str, Any]:
    phone = to_e164(row["phone"]) if row["phone"] else None
    return {
        "id": str(row["id"]),
        "contact": {"id": str(row["contact_id"]), "name": row["contact_name"], "phone": phone},
        "serviceInstance": _named(row["instance_id"], row["instance_name"]),
        "operator": _named(row["operator_id"], row["operator_name"]),
    }


def _named(identifier: UUID | None, name: str | None) -> dict[str, Any] | None:
    return None if identifier is None else {"id": str(identifier), "name": name or ""}


def _time(at: datetime | None) -> str | None:
    return None if at is None else isoformat(at)


def seconds(milliseconds: int | None) -> float | None:
    """Return a duration as the API shows it."""
    return None if milliseconds is None else milliseconds / 1000
