"""The service window: how long after a customer was last heard of anything may be sent to them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from elsehu.contracts.inbound import ReactionChanged
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.inbound.updates import Located

RENEW = """
WITH heard AS (
    SELECT v.id, max(r.until) AS until
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS r(instance_id, external_id, until)
    JOIN messages m ON m.instance_id = r.instance_id AND m.external_id = r.external_id
    JOIN conversations at ON at.id = m.conversation_id
    JOIN conversations v ON v.contact_id = at.contact_id AND v.instance_id = at.instance_id
    WHERE v.status <> 'closed' OR v.id = at.id
    GROUP BY v.id
), held AS (
    SELECT v.id, h.until FROM conversations v JOIN heard h ON h.id = v.id
    WHERE coalesce(v.window_expires_at < h.until, true) ORDER BY v.id FOR UPDATE OF v
), renewed AS (
    UPDATE conversations v SET window_expires_at = h.until FROM held h WHERE v.id = h.id RETURNING v.id, v.status
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', id, id FROM renewed WHERE status <> 'closed'
"""
"""Of the open conversation, and of that of the message: what opens one later takes over what is left of the window."""


def until(at: datetime, hours: float | None) -> datetime | None:
    """Return until when a window of `hours` is open that was opened at the time `at`; None where there is none."""
    return None if hours is None else at + timedelta(hours=hours)


async def renew(uow: UnitOfWork, updates: Sequence[Located], hours: Mapping[UUID, float], latest: datetime) -> None:
    """Have customers' reactions among `updates` open the windows of numbers that have any (`hours`).

    One that is dated after `latest` counts from then.
    """
    found = [
        (instance_id, update.external_id, until(min(update.at, latest), hours.get(instance_id)))
        for instance_id, update in updates
        if instance_id in hours and isinstance(update, ReactionChanged) and not update.from_company
    ]
    if found:
        await uow.execute(RENEW, *zip(*found, strict=True))
        uow.signal(SIGNAL)
