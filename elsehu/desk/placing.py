"""Where an open conversation is: with an operator, or in the queue of its number or of a team."""

from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.desk.holding import Held, tell
from elsehu.events import Change

GIVE = """
UPDATE conversations SET status = 'assigned', assigned_to = $2, assigned_at = $3,
    opened_at = CASE WHEN status = 'dormant' THEN $3 ELSE opened_at END,
    first_reply_at = CASE WHEN status <> 'dormant' THEN first_reply_at END
WHERE id = $1
"""
ENQUEUE = """
UPDATE conversations SET status = 'queued', assigned_to = NULL, assigned_at = NULL, team_id = $2,
    opened_at = CASE WHEN status = 'dormant' THEN $3 ELSE opened_at END,
    first_reply_at = CASE WHEN status <> 'dormant' THEN first_reply_at END
WHERE id = $1
"""
ACTIVE_TEAM = "SELECT id FROM teams WHERE id = $1 AND is_active FOR SHARE"
GAVE_BACK = "INSERT INTO given_back (conversation_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def give(uow: UnitOfWork, held: Held, user_id: UUID, now: datetime) -> None:
    """Make a conversation a user's. Its team stays: to that it goes back."""
    await uow.execute(GIVE, held.id, user_id, now)
    await _tell(uow, held)


async def enqueue(uow: UnitOfWork, held: Held, team_id: UUID | None, now: datetime) -> None:
    """Put a conversation into a team's queue, or its number's. Its place there is by its age, as if it had waited."""
    await uow.execute(ENQUEUE, held.id, team_id, now)
    await _tell(uow, held)


async def gave_back(uow: UnitOfWork, held: Held) -> None:
    """Note that its operator does not want it: he is not given it again by a rule."""
    if held.assigned_to is not None:
        await uow.execute(GAVE_BACK, held.id, held.assigned_to)


async def team_of(uow: UnitOfWork, held: Held) -> UUID | None:
    """Return the team to which a conversation goes back, if that is active still, as it then is until `uow` ends."""
    team_id: Any = held.team_id and await uow.fetch_value(ACTIVE_TEAM, held.team_id)
    return UUID(str(team_id)) if team_id else None


async def _tell(uow: UnitOfWork, held: Held) -> None:
    if held.status == "dormant":
        await tell(uow, Change("conversation:new", held.id, held.id))
    await tell(uow, held.moved())
