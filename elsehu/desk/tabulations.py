"""Tabulations: the reasons for closing a conversation."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from elsehu.contracts.errors import Conflict, FieldError, Invalid, NotFound
from elsehu.db import Database, Row, UnitOfWork
from elsehu.desk.people.teams import require_instances, texts_of
from elsehu.desk.schemas import TabulationIn, TabulationQuery
from elsehu.http.pages import decode_cursor, page_of, serial
from elsehu.ids import new_id
from elsehu.kernel import Kernel

SHOWN = """id, name, "group", position, is_active, rule, required_fields, notes_required, instance_ids,
    return_minutes"""
PAGE = f"""
SELECT {SHOWN} FROM tabulations
WHERE (is_active OR $1) AND ($2::uuid IS NULL OR instance_ids IS NULL OR $2 = ANY(instance_ids))
    AND ($3::int IS NULL OR (position, lower(name), id) > ($3, $4::text, $5::uuid))
ORDER BY position, lower(name), id LIMIT $6
"""  # noqa: S608
ACTIVE = f"SELECT {SHOWN} FROM tabulations WHERE id = $1 AND is_active"  # noqa: S608
HOLD = f"SELECT {SHOWN} FROM tabulations WHERE id = $1 FOR UPDATE"  # noqa: S608
INSERT = f"""
INSERT INTO tabulations (id, name, "group", position, rule, required_fields, notes_required, instance_ids,
    return_minutes)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9) RETURNING {SHOWN}
"""  # noqa: S608
UPDATE = f"""
UPDATE tabulations SET name = $2, "group" = $3, position = $4, rule = $5, required_fields = $6::jsonb,
    notes_required = $7, instance_ids = $8, return_minutes = $9, is_active = $10
WHERE id = $1 RETURNING {SHOWN}
"""  # noqa: S608
CHANGEABLE = (
    "name", "group", "position", "rule", "required_fields", "notes_required", "instance_ids", "return_minutes",
    "is_active",
)  # fmt: skip
IS_USED = "SELECT EXISTS (SELECT 1 FROM conversations WHERE status = 'closed' AND tabulation_id = $1)"


def tabulation_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tabulation's REST shape."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "group": row["group"],
        "position": row["position"],
        "isActive": row["is_active"],
        "rule": row["rule"],
        "requiredFields": orjson.loads(row["required_fields"]),
        "notesRequired": row["notes_required"],
        "serviceInstanceIds": texts_of(row["instance_ids"]),
        "returnMinutes": row["return_minutes"],
    }


async def tabulation_page(kernel: Kernel, query: TabulationQuery) -> dict[str, Any]:
    """Return a page of tabulations, by position and name. Raises Invalid for a bad cursor."""
    after = decode_cursor(query.cursor, (serial, str, UUID)) if query.cursor else [None, None, None]
    asked = (query.include_inactive, query.service_instance_id)
    rows = await kernel.db.fetch(PAGE, *asked, *after, query.limit + 1)
    return page_of(rows, query.limit, lambda row: (row["position"], row["name"].lower(), row["id"]), tabulation_view)


async def active_tabulation(db: Database, tabulation_id: UUID) -> Row:
    """Return the row of a tabulation with which conversations may be closed. Raises Invalid."""
    row = await db.fetch_row(ACTIVE, tabulation_id)
    if row is None:
        raise unusable()
    return row


async def create(uow: UnitOfWork, body: TabulationIn) -> Row:
    """Make a tabulation. Raises Invalid (unknown numbers) and Conflict `name_taken`."""
    await require_instances(uow, body.service_instance_ids)
    rules = (body.rule, _fields(body), body.notes_required, body.service_instance_ids, body.return_minutes)
    row = await _write(uow, INSERT, new_id(), body.name, body.group, body.position, *rules)
    assert row is not None
    return row


async def change(uow: UnitOfWork, tabulation_id: UUID, changes: Mapping[str, Any]) -> Row:
    """Change what `changes` holds. Raises NotFound, Invalid (unknown numbers) and Conflict `name_taken`."""
    await require_instances(uow, changes.get("instance_ids"))
    new = {**await _hold(uow, tabulation_id), **changes}
    if "required_fields" in changes:
        new["required_fields"] = orjson.dumps(changes["required_fields"]).decode()
    values = [new[name] for name in CHANGEABLE]
    row = await _write(uow, UPDATE, tabulation_id, *values)
    assert row is not None
    return row


async def remove(uow: UnitOfWork, tabulation_id: UUID) -> bool:
    """Delete a tabulation, or deactivate it where conversations are closed with it; say whether it is gone.

    Raises NotFound. Whoever closes with it at this moment goes first, or finds it gone.
    """
    await _hold(uow, tabulation_id)
    if await uow.fetch_value(IS_USED, tabulation_id):
        await uow.execute("UPDATE tabulations SET is_active = false WHERE id = $1", tabulation_id)
        return False
    await uow.execute("DELETE FROM tabulations WHERE id = $1", tabulation_id)
    return True


async def _hold(uow: UnitOfWork, tabulation_id: UUID) -> Row:
    row = await uow.fetch_row(HOLD, tabulation_id)
    if row is None:
        raise NotFound("tabulation_not_found", "There is no such tabulation.")
    return row


async def _write(uow: UnitOfWork, sql: str, *values: Any) -> Row | None:
    try:
        return await uow.fetch_row(sql, *values)
    except asyncpg.UniqueViolationError:
        detail = "There is a tabulation with this name in its group already, perhaps an inactive one."
        raise Conflict("name_taken", detail, errors=[FieldError("name", "is taken in its group")]) from None


def _fields(body: TabulationIn) -> str:
    return orjson.dumps([one.model_dump() for one in body.required_fields]).decode()


def unusable() -> Invalid:
    """Return the refusal of a closing without a tabulation that can be used."""
    problem = FieldError("tabulationId", "is no active tabulation; see GET /api/tabulations")
    return Invalid("invalid_tabulation", "Close the conversation with one of the active tabulations.", errors=[problem])
