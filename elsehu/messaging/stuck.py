"""What should have gone on long ago and did not: settled where that is safe, told of where a process is missing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.messaging.outbound.settling import settle_interrupted

PATIENCE = timedelta(minutes=10)
DISPATCHING = "does a web process with [messaging] dispatch_in_web run?"
WAITING = """
SELECT count(*) FROM messages m JOIN service_instances i ON i.id = m.instance_id
WHERE m.status = 'pending' AND m.lane = 0 AND coalesce(m.next_attempt_at, m.created_at) < $1
  AND i.is_active AND i.status = 'connected' AND i.hold_until IS NULL
"""
UNFETCHED = """
SELECT count(*) FROM media_files WHERE state = 'pending' AND next_attempt_at < $1
  AND (claimed_until IS NULL OR claimed_until < $1)
"""


async def settle_stuck(kernel: Kernel, _: Mapping[str, Any]) -> str:
    """Settle sends whose process died with them, and tell of messages and files that nobody sees to."""
    now = kernel.now()
    before = now - PATIENCE
    async with kernel.db.transaction() as uow:
        settled = await settle_interrupted(uow, now)
    found = [f"{settled} sends without an outcome are `unconfirmed` now"] if settled else []
    found += await _left(kernel, WAITING, "messages wait to be sent", before)
    found += await _left(kernel, UNFETCHED, "files wait to be fetched", before)
    return "; ".join(found) or "nothing"


async def _left(kernel: Kernel, counted: str, what: str, before: datetime) -> list[str]:
    count = await kernel.db.fetch_value(counted, before)
    return [f"{count} {what} for more than {PATIENCE.seconds // 60} minutes: {DISPATCHING}"] if count else []


SETTLE_STUCK = Job("messaging.settle_stuck", settle_stuck, "*/10 * * * *", "low")
