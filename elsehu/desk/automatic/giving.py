"""Giving a conversation to whom a rule chose: the database decides, in the moment of giving, whether it may be so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork
from elsehu.desk import timeline
from elsehu.desk.automatic.waiting import PLACE
from elsehu.desk.holding import hold, tell

AUTOMAT = Caller(Role.SUPERVISOR, None, "Elsehu")
"""The actor of what rules do."""

HOLD_OPERATOR = """
SELECT u.id, u.name FROM users u JOIN desk_operators o ON o.user_id = u.id
WHERE u.id = $1 AND u.is_active AND o.presence = 'online'
FOR NO KEY UPDATE OF u, o
"""
"""While this is held he stays there, and nobody else makes a conversation his: those who do hold him too."""

OLDER = PLACE.replace("v.", "o.")
GIVE = f"""
UPDATE conversations v SET status = 'assigned', assigned_to = $2, assigned_at = $3
WHERE v.id = $1 AND v.status = 'queued'
    AND (SELECT count(*) FROM conversations o WHERE o.assigned_to = $2 AND o.status = 'assigned') < $4
    AND NOT EXISTS (SELECT 1 FROM given_back g WHERE g.conversation_id = v.id AND g.user_id = $2)
    AND ($5 OR NOT EXISTS (
        SELECT 1 FROM conversations o
        WHERE o.status = 'queued' AND o.instance_id = v.instance_id AND o.team_id IS NOT DISTINCT FROM v.team_id
            AND ({OLDER}, o.id) < ({PLACE}, v.id)
            AND NOT EXISTS (SELECT 1 FROM given_back g WHERE g.conversation_id = o.id AND g.user_id = $2)))
RETURNING true
"""  # noqa: S608 - constants
GIVEN = "UPDATE desk_operators SET last_given_at = $2 WHERE user_id = $1"


@dataclass(frozen=True, slots=True)
class Gift:
    """What a rule decided: which conversation goes to whom while he has less than `capacity`.

    `because` is what its timeline says of that. `past_the_queue`: although older ones may wait.
    """

    conversation_id: UUID
    user_id: UUID
    capacity: int
    because: Mapping[str, Any]
    past_the_queue: bool = False


async def give_by_rule(uow: UnitOfWork, gift: Gift, now: datetime) -> bool:
    """Give a waiting conversation to an operator and say whether that could be.

    It cannot if it waits no more, if he is not online, has his capacity by now or gave it back, or if one that he
    could have is before it in its queue.
    """
    user = await uow.fetch_row(HOLD_OPERATOR, gift.user_id)
    if user is None:
        return False
    held = await hold(uow, gift.conversation_id)
    asked = (held.id, gift.user_id, now, gift.capacity, gift.past_the_queue)
    if not await uow.fetch_value(GIVE, *asked):
        return False
    await uow.execute(GIVEN, gift.user_id, now)
    details = {"to": {"id": str(user["id"]), "name": user["name"]}, "automatic": dict(gift.because)}
    await timeline.record(uow, AUTOMAT, held.id, "assigned", details)
    await tell(uow, held.moved())
    return True
