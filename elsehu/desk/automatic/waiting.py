"""What waits for an operator: queues, and the conversation that is next in each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from elsehu.contracts.rules import Waiting
from elsehu.contracts.user import Queue
from elsehu.db import Database, Row, UnitOfWork

PLACE = "coalesce(v.queued_at, v.opened_at)"
"""By which a queue is ordered, and then by id: since when a conversation waits, or would if nobody had had it."""

QUEUES = """
SELECT instance_id, team_id FROM conversations WHERE status = 'queued' GROUP BY 1, 2
"""
NEXT = f"""
SELECT v.id, v.contact_id, v.instance_id, v.team_id, v.tags, {PLACE} AS since, v.opened_at,
       p.assigned_to AS last_operator, p.closed_at AS last_closed_at
FROM conversations v
LEFT JOIN LATERAL (
    SELECT assigned_to, closed_at FROM conversations
    WHERE contact_id = v.contact_id AND instance_id = v.instance_id AND status = 'closed' AND merged_into IS NULL
    ORDER BY closed_at DESC LIMIT 1
) p ON true
WHERE v.status = 'queued' AND v.instance_id = $1 AND v.team_id IS NOT DISTINCT FROM $2
    AND (SELECT count(*) FROM given_back g WHERE g.conversation_id = v.id AND g.user_id = ANY($3::uuid[]))
        < cardinality($3::uuid[])
ORDER BY {PLACE}, v.id LIMIT 1
"""  # noqa: S608 - constants
"""The oldest of a queue that somebody of $3 may be given: who gave one back stands in nobody's way."""

GAVE_BACK = "SELECT user_id FROM given_back WHERE conversation_id = $1"


async def queues(db: Database | UnitOfWork) -> list[Queue]:
    """Return the queues in which something waits."""
    return [Queue(row["instance_id"], row["team_id"]) for row in await db.fetch(QUEUES)]


async def next_in(
    db: Database | UnitOfWork, queue: Queue, free: Sequence[UUID], sticky: timedelta | None
) -> Waiting | None:
    """Return the oldest conversation of a queue that one of the operators `free` may be given, if there is one.

    `sticky` is for how long a customer's last operator counts.
    """
    row = await db.fetch_row(NEXT, queue.instance_id, queue.team_id, free)
    if row is None:
        return None
    last = row["last_operator"] if _is_recent(row, sticky) else None
    return Waiting(row["id"], row["contact_id"], queue, row["since"], tuple(row["tags"]), last)


async def who_gave_back(db: Database | UnitOfWork, conversation_id: UUID) -> frozenset[UUID]:
    """Return who had a conversation and gave it back."""
    return frozenset(row["user_id"] for row in await db.fetch(GAVE_BACK, conversation_id))


def _is_recent(row: Row, sticky: timedelta | None) -> bool:
    closed_at: datetime | None = row["last_closed_at"]
    return sticky is not None and closed_at is not None and row["opened_at"] - closed_at <= sticky
