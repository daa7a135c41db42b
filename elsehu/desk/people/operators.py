"""Operators: how many conversations they are given, of which numbers, and when."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import NotFound
from elsehu.db import UnitOfWork
from elsehu.desk.people.roster import Member, roster
from elsehu.desk.people.teams import require_instances, texts_of
from elsehu.http.pages import decode_cursor, page_of
from elsehu.http.schemas import PageQuery
from elsehu.identity.callers import Hint, tell
from elsehu.identity.presence import presence_of
from elsehu.kernel import Kernel

PAGE = "SELECT id FROM users WHERE is_active AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"
IS_ACTIVE = "SELECT true FROM users WHERE id = $1 AND is_active FOR KEY SHARE"
HOLD = """
INSERT INTO desk_operators (user_id) VALUES ($1) ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id
RETURNING capacity, instance_ids, hours
"""
UPDATE = "UPDATE desk_operators SET capacity = $2, instance_ids = $3, hours = $4::jsonb WHERE user_id = $1"


async def operator_page(kernel: Kernel, query: PageQuery) -> dict[str, Any]:
    """Return a page of active users as the desk sees them. Raises Invalid for a bad cursor."""
    after = decode_cursor(query.cursor, (UUID,))[0] if query.cursor else None
    ids = [row["id"] for row in await kernel.db.fetch(PAGE, after, query.limit + 1)]
    views = await operator_views(kernel, ids)
    shown = [views[user_id] for user_id in ids if user_id in views]
    return page_of(shown, query.limit, lambda view: (view["id"],), lambda view: view)


async def operator_view(kernel: Kernel, user_id: UUID) -> dict[str, Any]:
    """Return an active user as the desk sees him. Raises NotFound."""
    views = await operator_views(kernel, [user_id])
    if user_id not in views:
        raise no_such_operator()
    return views[user_id]


async def operator_views(kernel: Kernel, user_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return active users as the desk sees them, by their ids."""
    members = await roster(kernel.db, kernel.settings.desk.capacity, user_ids)
    presence = await presence_of(kernel, [member.id for member in members])
    return {member.id: _view(kernel, member, presence[member.id]) for member in members}


def _view(kernel: Kernel, member: Member, presence: str) -> dict[str, Any]:
    row = member.row
    return {
        "id": str(member.id),
        "name": row["name"],
        "role": row["role"],
        "presence": presence,
        "load": row["load"],
        "limit": member.limit,
        "isOnDuty": member.is_on_duty(kernel.now()),
        "capacity": row["capacity"],
        "serviceInstanceIds": texts_of(row["instance_ids"]),
        "hours": row["hours"] and orjson.loads(row["hours"]),
        "teamIds": [str(team_id) for team_id in member.teams],
    }


async def change(uow: UnitOfWork, kernel: Kernel, user_id: UUID, changes: Mapping[str, Any]) -> None:
    """Change what `changes` holds of an active user (ready for JSON). Raises NotFound, and Invalid: unknown numbers."""
    if not await uow.fetch_value(IS_ACTIVE, user_id):
        raise no_such_operator()
    await require_instances(uow, changes.get("instance_ids"))
    before = await uow.fetch_row(HOLD, user_id)
    assert before is not None
    new = {**before, **changes}
    if changes.get("hours") is not None:
        new["hours"] = orjson.dumps(changes["hours"]).decode()
    await uow.execute(UPDATE, user_id, new["capacity"], new["instance_ids"], new["hours"])
    tell(uow, kernel, Hint(user_id))


def no_such_operator() -> NotFound:
    """Return the refusal for an id that no active user has."""
    return NotFound("operator_not_found", "There is no active user with this id.")
