"""Who works on a conversation: taking it from the queue, handing it on, giving it back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import Conflict, FieldError, Invalid, PermissionDenied
from elsehu.contracts.user import Caller
from elsehu.db import UnitOfWork
from elsehu.desk import timeline
from elsehu.desk.holding import Held, hold, require_open
from elsehu.desk.people.teams import active_team
from elsehu.desk.placing import enqueue, gave_back, give, team_of
from elsehu.messaging.conversations.views import require_owner

ACTIVE_USER = "SELECT id, name FROM users WHERE id = $1 AND is_active FOR SHARE"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a conversation is handed on to: a user, a team, or (neither) the queue of its number."""

    user_id: UUID | None = None
    team_id: UUID | None = None


def assignee(caller: Caller, user_id: UUID | None) -> UUID:
    """Return who is to get a conversation: `user_id`, else the caller. Raises Invalid and PermissionDenied."""
    wanted = user_id or caller.user_id
    if wanted is None:
        raise bad_user("is needed: an API key cannot take conversations itself")
    if not caller.sees_all and wanted != caller.user_id:
        raise PermissionDenied("forbidden", "An operator takes conversations only for himself. Use POST …/transfer.")
    return wanted


async def assign(uow: UnitOfWork, caller: Caller, conversation_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """Give a queued conversation to an active user. Of two at once one wins; again to its owner does nothing.

    Raises NotFound, Invalid and Conflict: `already_assigned` says in `assignedTo` who was faster.
    """
    user = await active_user(uow, user_id)
    held = await hold(uow, conversation_id)
    require_open(held)
    if held.assigned_to == user_id:
        return
    if held.assigned_to is not None:
        detail = f"{held.owner_name} has this conversation already. A supervisor can transfer it."
        raise Conflict("already_assigned", detail, assignedTo=held.owner)
    await give(uow, held, user_id, now)
    await timeline.record(uow, caller, held.id, "assigned", {"to": user})


async def transfer(
    uow: UnitOfWork, caller: Caller, conversation_id: UUID, target: Target, *, reason: str | None, now: datetime
) -> None:
    """Hand a conversation on to an active user, to an active team, or to the queue of its number.

    Raises NotFound, Invalid, PermissionDenied and Conflict.
    """
    user = await active_user(uow, target.user_id) if target.user_id else None
    team = await active_team(uow, target.team_id) if target.team_id else None
    held = await _movable(uow, caller, conversation_id)
    if target.user_id is not None:
        if held.assigned_to == target.user_id:
            return
        await give(uow, held, target.user_id, now)
    else:
        if held.status == "queued" and held.team_id == target.team_id:
            return
        await gave_back(uow, held)
        await enqueue(uow, held, target.team_id, now)
    details = {"from": held.owner, "to": user, **({"team": team} if team else {}), "reason": reason or None}
    await timeline.record(uow, caller, held.id, "transferred", details)


async def release(uow: UnitOfWork, caller: Caller, conversation_id: UUID, *, now: datetime) -> None:
    """Give a conversation back to the queue that it came from. Raises NotFound, PermissionDenied and Conflict."""
    held = await _movable(uow, caller, conversation_id)
    if held.status != "queued":
        await gave_back(uow, held)
        await enqueue(uow, held, await team_of(uow, held), now)
        await timeline.record(uow, caller, held.id, "released", {"from": held.owner})


async def _movable(uow: UnitOfWork, caller: Caller, conversation_id: UUID) -> Held:
    held = await hold(uow, conversation_id)
    require_owner(caller, held.assigned_to)
    require_open(held)
    return held


async def active_user(uow: UnitOfWork, user_id: UUID) -> dict[str, Any]:
    """Return an active user as the API shows people. Raises Invalid."""
    row = await uow.fetch_row(ACTIVE_USER, user_id)
    if row is None:
        raise bad_user("is no active user")
    return {"id": str(row["id"]), "name": row["name"]}


def bad_user(message: str) -> Invalid:
    """Return the refusal of a `userId`."""
    return Invalid("invalid_request", "The user cannot get it; see errors.", errors=[FieldError("userId", message)])
