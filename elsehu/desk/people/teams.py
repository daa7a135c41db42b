"""Teams: operators who share a queue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import Conflict, FieldError, Invalid, NotFound
from elsehu.db import Database, Row, UnitOfWork
from elsehu.desk.people.schemas import TeamIn, TeamQuery
from elsehu.http.pages import decode_cursor, page_of
from elsehu.identity.callers import Hint, tell
from elsehu.ids import new_id
from elsehu.kernel import Kernel

SHOWN = """
SELECT t.id, t.name, t.is_active, t.instance_ids, t.hours, t.created_at, (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) ORDER BY lower(u.name), u.id), '[]')
    FROM team_members m JOIN users u ON u.id = m.user_id AND u.is_active WHERE m.team_id = t.id
) AS members
FROM teams t
"""
PAGE = f"""
{SHOWN} WHERE (t.is_active OR $1) AND ($2::text IS NULL OR (lower(t.name), t.id) > ($2, $3::uuid))
ORDER BY lower(t.name), t.id LIMIT $4
"""
ONE = SHOWN + "WHERE t.id = $1"
HOLD = "SELECT name, is_active, instance_ids, hours FROM teams WHERE id = $1 FOR UPDATE"
ACTIVE = "SELECT id, name FROM teams WHERE id = $1 AND is_active FOR SHARE"
INSERT = "INSERT INTO teams (id, name, instance_ids, hours) VALUES ($1, $2, $3, $4::jsonb)"
UPDATE = "UPDATE teams SET name = $2, is_active = $3, instance_ids = $4, hours = $5::jsonb WHERE id = $1"
MEMBERS = "SELECT user_id FROM team_members WHERE team_id = $1"
REPLACE_MEMBERS = """
WITH gone AS (DELETE FROM team_members WHERE team_id = $1 AND user_id <> ALL ($2::uuid[]))
INSERT INTO team_members (team_id, user_id) SELECT $1, id FROM unnest($2::uuid[]) AS n(id) ON CONFLICT DO NOTHING
"""
MISSING_USERS = """
SELECT n.place - 1 AS place FROM unnest($1::uuid[]) WITH ORDINALITY AS n(id, place)
LEFT JOIN users u ON u.id = n.id AND u.is_active WHERE u.id IS NULL ORDER BY 1
"""
MISSING_INSTANCES = """
SELECT n.place - 1 AS place FROM unnest($1::uuid[]) WITH ORDINALITY AS n(id, place)
LEFT JOIN service_instances i ON i.id = n.id WHERE i.id IS NULL ORDER BY 1
"""
WAITING = "SELECT EXISTS (SELECT 1 FROM conversations WHERE team_id = $1 AND status = 'queued')"
IS_USED = "SELECT EXISTS (SELECT 1 FROM conversations WHERE team_id = $1)"


def team_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a team's REST shape."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "isActive": row["is_active"],
        "members": orjson.loads(row["members"]),
        "serviceInstanceIds": texts_of(row["instance_ids"]),
        "hours": row["hours"] and orjson.loads(row["hours"]),
        "createdAt": isoformat(row["created_at"]),
    }


def texts_of(ids: Sequence[UUID] | None) -> list[str] | None:
    """Return ids as the API shows them."""
    return None if ids is None else [str(one) for one in ids]


async def team_page(kernel: Kernel, query: TeamQuery) -> dict[str, Any]:
    """Return a page of teams by name. Raises Invalid for a bad cursor."""
    after = decode_cursor(query.cursor, (str, UUID)) if query.cursor else [None, None]
    rows = await kernel.db.fetch(PAGE, query.include_inactive, *after, query.limit + 1)
    return page_of(rows, query.limit, lambda row: (row["name"].lower(), row["id"]), team_view)


async def get(db: Database | UnitOfWork, team_id: UUID) -> Row:
    """Return a team. Raises NotFound."""
    row = await db.fetch_row(ONE, team_id)
    if row is None:
        raise no_such_team()
    return row


async def create(uow: UnitOfWork, kernel: Kernel, body: TeamIn) -> Row:
    """Make a team. Raises Invalid (unknown users or numbers) and Conflict `name_taken`."""
    team_id = new_id()
    await require_instances(uow, body.service_instance_ids)
    hours = body.hours and body.hours.model_dump(mode="json", by_alias=True)
    await _write(uow, INSERT, team_id, body.name, body.service_instance_ids, _json(hours))
    await _set_members(uow, kernel, team_id, body.member_ids)
    return await get(uow, team_id)


async def change(uow: UnitOfWork, kernel: Kernel, team_id: UUID, changes: Mapping[str, Any]) -> Row:
    """Change what `changes` holds (ready for JSON). Raises as `create`, NotFound, and Conflict `team_busy`."""
    before = await _hold(uow, team_id)
    await require_instances(uow, changes.get("instance_ids"))
    if changes.get("is_active") is False:
        await _require_idle(uow, team_id)
    new = {**before, **changes}
    hours = _json(changes["hours"]) if "hours" in changes else before["hours"]
    await _write(uow, UPDATE, team_id, new["name"], new["is_active"], new["instance_ids"], hours)
    if "member_ids" in changes:
        await _set_members(uow, kernel, team_id, changes["member_ids"])
    _look_again(uow, kernel, await _members(uow, team_id))
    return await get(uow, team_id)


async def remove(uow: UnitOfWork, kernel: Kernel, team_id: UUID) -> bool:
    """Delete a team, or deactivate it where conversations were with it; say whether it is gone.

    Raises NotFound, and Conflict `team_busy` while conversations wait for it.
    """
    await _hold(uow, team_id)
    await _require_idle(uow, team_id)
    _look_again(uow, kernel, await _members(uow, team_id))
    if await uow.fetch_value(IS_USED, team_id):
        await uow.execute("UPDATE teams SET is_active = false WHERE id = $1", team_id)
        return False
    await uow.execute("DELETE FROM teams WHERE id = $1", team_id)
    return True


async def active_team(uow: UnitOfWork, team_id: UUID) -> dict[str, Any]:
    """Return an active team as the API shows things with names; it stays so until the end of `uow`. Raises Invalid."""
    row = await uow.fetch_row(ACTIVE, team_id)
    if row is None:
        problem = FieldError("teamId", "is no active team; see GET /api/teams")
        raise Invalid("invalid_request", "The team cannot get it; see errors.", errors=[problem])
    return {"id": str(row["id"]), "name": row["name"]}


async def require_instances(uow: UnitOfWork, ids: Sequence[UUID] | None) -> None:
    """Raise Invalid where one of these is no number."""
    rows = await uow.fetch(MISSING_INSTANCES, ids or [])
    if rows:
        errors = [FieldError(f"serviceInstanceIds.{row['place']}", "is no service instance") for row in rows]
        raise Invalid("invalid_request", "Some numbers are not known; see errors.", errors=errors)


async def _set_members(uow: UnitOfWork, kernel: Kernel, team_id: UUID, user_ids: Sequence[UUID]) -> None:
    rows = await uow.fetch(MISSING_USERS, user_ids)
    if rows:
        errors = [FieldError(f"memberIds.{row['place']}", "is no active user") for row in rows]
        raise Invalid("invalid_request", "Some members are not known; see errors.", errors=errors)
    before = await _members(uow, team_id)
    await uow.execute(REPLACE_MEMBERS, team_id, user_ids)
    _look_again(uow, kernel, {*before, *user_ids})


async def _members(uow: UnitOfWork, team_id: UUID) -> list[UUID]:
    return [row["user_id"] for row in await uow.fetch(MEMBERS, team_id)]


def _look_again(uow: UnitOfWork, kernel: Kernel, user_ids: Iterable[UUID]) -> None:
    """What these users may see is another after the commit."""
    for user_id in user_ids:
        tell(uow, kernel, Hint(user_id))


async def _hold(uow: UnitOfWork, team_id: UUID) -> Row:
    row = await uow.fetch_row(HOLD, team_id)
    if row is None:
        raise no_such_team()
    return row


async def _require_idle(uow: UnitOfWork, team_id: UUID) -> None:
    if await uow.fetch_value(WAITING, team_id):
        detail = "Conversations wait for this team. Transfer or close them first (GET /api/queue?teamId=…)."
        raise Conflict("team_busy", detail)


async def _write(uow: UnitOfWork, sql: str, *values: Any) -> None:
    try:
        await uow.execute(sql, *values)
    except asyncpg.UniqueViolationError:
        problem = FieldError("name", "is taken")
        detail = "There is a team with this name already, perhaps an inactive one."
        raise Conflict("name_taken", detail, errors=[problem]) from None


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def no_such_team() -> NotFound:
    """Return the refusal for an id that no team has."""
    return NotFound("team_not_found", "There is no such team.")
