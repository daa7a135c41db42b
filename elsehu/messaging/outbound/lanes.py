"""Lanes: streams of messages from one number that are paced, and stopped at once, by the claim itself (queue.py).

So the pace is kept by the database, whatever the number of processes and whoever of them dies; nobody has to run for
it. What people write overtakes every lane.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog

from elsehu.contracts.errors import NotFound
from elsehu.db import UnitOfWork
from elsehu.ids import new_id

log = structlog.get_logger("elsehu.dispatcher")

OPEN = "INSERT INTO message_lanes (id, instance_id, owner, is_open, gap_ms, jitter) VALUES ($1, $2, $3, false, 0, 0)"

STEER = """
UPDATE message_lanes SET is_open = $2, gap_ms = coalesce($3, gap_ms), jitter = coalesce($4, jitter), open_until = $5,
    next_at = least(next_at, CASE WHEN next_at IS NOT NULL
                             THEN now() + coalesce($3, gap_ms) * interval '1 millisecond' END)
WHERE id = $1 RETURNING id
"""
"""A lane that is made faster does not wait for the end of a gap that was drawn when it was slower."""

HELD = """
SELECT l.owner, count(*) AS lanes FROM message_lanes l
WHERE l.is_open AND l.owner <> ALL($1::text[])
  AND EXISTS (SELECT 1 FROM messages m WHERE m.lane_id = l.id AND m.lane = 1 AND m.status = 'pending')
GROUP BY l.owner
"""


async def open_lane(uow: UnitOfWork, instance_id: UUID, owner: str) -> UUID:
    """Make a lane of a number for the plugin `owner` and return its id. Nothing leaves until `steer_lane` opens it."""
    lane_id = new_id()
    await uow.execute(OPEN, lane_id, instance_id, owner)
    return lane_id


async def steer_lane(
    uow: UnitOfWork,
    lane_id: UUID,
    *,
    is_open: bool,
    gap: float | None = None,
    jitter: float | None = None,
    open_until: datetime | None = None,
) -> None:
    """Open, pace or stop a lane. Once a stop is committed nothing leaves that was not claimed before.

    `gap` is in seconds from one message to the next (0: as fast as the number may), each drawn from ±`jitter` (0 to 1)
    of it; None leaves either as it is. After `open_until` nothing leaves; None is without end. Raises NotFound.
    """
    if (gap is not None and gap < 0) or (jitter is not None and not 0 <= jitter <= 1):
        raise ValueError(f"a lane's gap is 0 s or more and its jitter 0 to 1, not {gap} and {jitter}")
    gap_ms = None if gap is None else round(gap * 1000)
    if await uow.fetch_row(STEER, lane_id, is_open, gap_ms, jitter, open_until) is None:
        raise NotFound("not_found", f"There is no lane with the id {lane_id}.")
    if is_open:
        uow.signal("outbound")


async def tell_held(uow: UnitOfWork, owners: Sequence[str]) -> None:
    """Log what waits in lanes of plugins that are none of `owners`: nobody is there who could stop them."""
    for row in await uow.fetch(HELD, owners):
        fix = "name it in [plugins] enabled again, and they go on; or leave it: they keep waiting"
        log.warning("lanes_wait_for_plugin", plugin=row["owner"], lanes=row["lanes"], fix=fix)
