"""Taking conversations back into the queue from operators who are gone (`[desk] offline_minutes`)."""

from datetime import datetime
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.desk import timeline
from elsehu.desk.automatic.giving import AUTOMAT
from elsehu.desk.holding import hold
from elsehu.desk.placing import enqueue, team_of
from elsehu.kernel import Kernel

AT_A_TIME = 200
LEFT_BEHIND = """
SELECT v.id, v.assigned_to FROM desk_operators o
JOIN conversations v ON v.assigned_to = o.user_id AND v.status = 'assigned' AND v.assigned_at <= $1
WHERE o.presence = 'offline' AND o.presence_since <= $1
ORDER BY v.opened_at, v.id LIMIT $2
"""
IS_GONE = """
SELECT true FROM desk_operators WHERE user_id = $1 AND presence = 'offline' AND presence_since <= $2 FOR SHARE
"""


async def take_back(kernel: Kernel, gone_since: datetime) -> int:
    """Put into the queue what is with operators who are offline since `gone_since` or longer; return how many.

    What he was given since then is his for as long again.
    """
    rows = await kernel.db.fetch(LEFT_BEHIND, gone_since, AT_A_TIME)
    taken = 0
    for row in rows:
        async with kernel.db.transaction() as uow:
            taken += await _take_back(uow, row["id"], row["assigned_to"], gone_since, kernel.now())
    return taken


async def _take_back(
    uow: UnitOfWork, conversation_id: UUID, user_id: UUID, gone_since: datetime, now: datetime
) -> bool:
    if not await uow.fetch_value(IS_GONE, user_id, gone_since):
        return False
    held = await hold(uow, conversation_id)
    if held.status != "assigned" or held.assigned_to != user_id:
        return False
    await enqueue(uow, held, await team_of(uow, held), now)
    await timeline.record(uow, AUTOMAT, held.id, "released", {"from": held.owner, "reason": "offline"})
    return True
