"""The outbound queue: the rows themselves. Claimed with SKIP LOCKED, one message of a conversation at a time.

A claim has an end (`claimed_until`): whose dispatcher died with it becomes `unconfirmed` (settling.py), for
nobody knows whether the provider took it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.db import Row, UnitOfWork

READY = """
SELECT i.id, i.rate_tokens, i.rate_at FROM service_instances i
WHERE i.is_active AND i.status = 'connected' AND (i.hold_until IS NULL OR i.hold_until <= $1)
  AND EXISTS (SELECT 1 FROM messages m WHERE m.instance_id = i.id AND m.status = 'pending'
              AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= $1))
ORDER BY i.id
"""

CLAIM = """
WITH wanted AS (
    SELECT head.id FROM unnest($1::uuid[], $2::int[]) AS w(instance_id, most)
    CROSS JOIN LATERAL (
        SELECT m.id FROM messages m
        WHERE m.instance_id = w.instance_id AND m.status = 'pending'
          AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= $3)
          AND NOT EXISTS (SELECT 1 FROM messages other
                          WHERE other.conversation_id = m.conversation_id AND other.status IN ('pending', 'sending')
                            AND (other.seq < m.seq OR other.status = 'sending'))
        ORDER BY m.lane, m.seq LIMIT w.most FOR UPDATE SKIP LOCKED
    ) head
), claimed AS (
    UPDATE messages m SET status = 'sending', status_rank = 1, claimed_until = $4, attempts = m.attempts + 1
    FROM wanted WHERE m.id = wanted.id AND m.status = 'pending'
    RETURNING m.*
)
SELECT c.id, c.seq, c.conversation_id, c.instance_id, c.kind, c.text, c.payload, c.media_id, c.client_id,
       c.reply_to_external_id, c.attempts, c.created_at, c.claimed_until,
       q.direction AS quoted_direction, q.text AS quoted_text, t.addresses
FROM claimed c
JOIN conversations v ON v.id = c.conversation_id
LEFT JOIN messages q ON q.instance_id = c.instance_id AND q.external_id = c.reply_to_external_id
LEFT JOIN LATERAL (
    SELECT array_agg(ARRAY[a.kind, a.value, a.address, a.scope] ORDER BY a.last_seen_at DESC, a.kind DESC) AS addresses
    FROM contact_identities a WHERE a.contact_id = v.contact_id
) t ON TRUE
ORDER BY c.lane, c.seq
"""

NEXT_DUE = """
SELECT min(m.next_attempt_at) FROM messages m JOIN service_instances i ON i.id = m.instance_id
WHERE m.status = 'pending' AND i.is_active AND i.status = 'connected' AND m.next_attempt_at > $1
"""

LOCK_BUCKET = "SELECT id, rate_tokens, rate_at FROM service_instances WHERE id = $1 FOR NO KEY UPDATE"
"""Not FOR UPDATE, for which every message that is being stored for this number would be in the way."""

SPEND = """
UPDATE service_instances SET rate_tokens = $2, rate_at = $3 WHERE id = $1
"""

BURST_SECONDS = 0.1


@dataclass(slots=True)
class Budget:
    """How many messages an instance may send now, and when the next one may leave. `tokens` are those of `at`."""

    instance_id: UUID
    most: int
    rate: float | None
    tokens: float = 0.0
    at: datetime | None = None

    @property
    def seconds_to_next(self) -> float:
        """Seconds until a whole token is there."""
        return 0.0 if self.rate is None else max(0.0, (1.0 - self.tokens) / self.rate)


def budget_of(row: Row, rate: float | None, free: int, now: datetime) -> Budget:
    """Return what the token bucket of an instance holds now. It holds a tenth of a second's worth, at least one."""
    if rate is None:
        return Budget(row["id"], free, None)
    full = max(1.0, rate * BURST_SECONDS)
    elapsed = (now - row["rate_at"]).total_seconds() if row["rate_at"] else full / rate
    tokens = min(full, row["rate_tokens"] + max(0.0, elapsed) * rate)
    return Budget(row["id"], min(free, int(tokens)), rate, tokens, now)


async def ready_instances(uow: UnitOfWork, now: datetime) -> Sequence[Row]:
    """Return the instances that may send and have something due."""
    return await uow.fetch(READY, now)


async def claim(
    uow: UnitOfWork, budgets: Sequence[Budget], now: datetime, lease: timedelta
) -> Sequence[Mapping[str, Any]]:
    """Claim what `budgets` allow, at most one message of each conversation, and pay for it.

    The budgets of instances with a rate must have been read under a row lock in this transaction.
    """
    allowed = [budget for budget in budgets if budget.most > 0]
    if not allowed:
        return []
    rows = await uow.fetch(CLAIM, [one.instance_id for one in allowed], [one.most for one in allowed], now, now + lease)
    for budget in allowed:
        if budget.rate is not None:
            budget.tokens -= sum(row["instance_id"] == budget.instance_id for row in rows)
            await uow.execute(SPEND, budget.instance_id, budget.tokens, budget.at)
    return rows
