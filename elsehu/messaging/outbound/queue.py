"""The outbound queue: the rows themselves. Claimed with SKIP LOCKED, one message of a conversation at a time.

A claim has an end (`claimed_until`): whose dispatcher died with it becomes `unconfirmed` (settling.py), for
nobody knows whether the provider took it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.plugin import PairLimit
from elsehu.db import Row, UnitOfWork

READY = """
SELECT i.id, i.rate_tokens, i.rate_at FROM service_instances i
WHERE i.is_active AND i.status = 'connected' AND (i.hold_until IS NULL OR i.hold_until <= $1)
  AND EXISTS (SELECT 1 FROM messages m WHERE m.instance_id = i.id AND m.status = 'pending'
              AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= $1))
ORDER BY i.id
"""

IS_HEAD = """
    m.instance_id = w.instance_id AND m.status = 'pending' AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= $1)
    AND NOT EXISTS (SELECT 1 FROM messages other
                    WHERE other.conversation_id = m.conversation_id AND other.status IN ('pending', 'sending')
                      AND (other.seq < m.seq OR other.status = 'sending'))
"""

CLAIMED = """claimed AS (
    UPDATE messages m SET status = 'sending', status_rank = 1, claimed_until = $4, attempts = m.attempts + 1
    FROM wanted WHERE m.id = wanted.id AND m.status = 'pending'
    RETURNING m.*
), told AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:updated', id, conversation_id FROM claimed WHERE attempts > 1
)
SELECT c.id, c.seq, c.conversation_id, c.instance_id, c.kind, c.text, c.payload, c.media_id, c.client_id,
       c.reply_to_external_id, c.attempts, c.created_at, c.claimed_until, v.window_expires_at,
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
"""A first attempt is told of by its outcome, a further one at once: until then its message showed an error."""

CLAIM = f"""
WITH wanted AS (
    SELECT head.id FROM unnest($2::uuid[], $3::int[]) AS w(instance_id, most)
    CROSS JOIN LATERAL (
        SELECT m.id FROM messages m WHERE {IS_HEAD}
        ORDER BY m.lane, m.seq LIMIT w.most FOR UPDATE SKIP LOCKED
    ) head
), {CLAIMED}"""  # noqa: S608

CLAIM_PACED = f"""
WITH wanted AS (
    SELECT head.id, head.conversation_id, w.gap
    FROM unnest($2::uuid[], $3::int[], $5::interval[], $6::interval[]) AS w(instance_id, most, gap, ahead)
    CROSS JOIN LATERAL (
        SELECT m.id, m.conversation_id FROM messages m JOIN conversations v ON v.id = m.conversation_id
        WHERE (v.paced_until IS NULL OR v.paced_until - w.ahead <= $1) AND {IS_HEAD}
        ORDER BY m.lane, m.seq LIMIT w.most FOR UPDATE OF m SKIP LOCKED FOR NO KEY UPDATE OF v SKIP LOCKED
    ) head
), paid AS (
    UPDATE conversations v SET paced_until = greatest(v.paced_until, $1) + wanted.gap
    FROM wanted WHERE v.id = wanted.conversation_id AND v.id = ANY(ARRAY(SELECT conversation_id FROM wanted))
), {CLAIMED}"""  # noqa: S608
"""Conversations are not waited for: whoever stores what comes in holds them, and may want our messages. The ANY says
what the join says already, but in a way that has every plan look the conversations up by their key."""

NEXT_DUE = """
SELECT min(m.next_attempt_at) FROM messages m JOIN service_instances i ON i.id = m.instance_id
WHERE m.status = 'pending' AND i.is_active AND i.status = 'connected' AND m.next_attempt_at > $1
"""

NEXT_PACED = f"""
SELECT min(v.paced_until - w.ahead) FROM unnest($2::uuid[], $3::interval[]) AS w(instance_id, ahead)
JOIN messages m ON {IS_HEAD} JOIN conversations v ON v.id = m.conversation_id
"""  # noqa: S608

LOCK_BUCKET = "SELECT id, rate_tokens, rate_at FROM service_instances WHERE id = $1 FOR NO KEY UPDATE"
"""Not FOR UPDATE, for which every message that is being stored for this number would be in the way."""

SPEND = """
UPDATE service_instances SET rate_tokens = $2, rate_at = $3 WHERE id = $1
"""

BURST_SECONDS = 0.1


@dataclass(slots=True)
class Budget:
    """How many messages an instance may send now, and when the next one may leave. `tokens` are those of `at`.

    `pair` is what one customer may get.
    """

    instance_id: UUID
    most: int
    rate: float | None
    tokens: float = 0.0
    at: datetime | None = None
    pair: PairLimit | None = None

    @property
    def seconds_to_next(self) -> float:
        """Seconds until a whole token is there."""
        return 0.0 if self.rate is None else max(0.0, (1.0 - self.tokens) / self.rate)

    @property
    def gap(self) -> timedelta:
        """How long one message to a customer counts."""
        return timedelta(seconds=self.pair.seconds if self.pair else 0)

    @property
    def ahead(self) -> timedelta:
        """How far ahead of that pace a customer's messages may be."""
        return self.gap * (self.pair.burst if self.pair else 0)


def budget_of(row: Row, rate: float | None, free: int, now: datetime, pair: PairLimit | None = None) -> Budget:
    """Return what the token bucket of an instance holds now. It holds a tenth of a second's worth, at least one."""
    if rate is None:
        return Budget(row["id"], free, None, pair=pair)
    full = max(1.0, rate * BURST_SECONDS)
    elapsed = (now - row["rate_at"]).total_seconds() if row["rate_at"] else full / rate
    tokens = min(full, row["rate_tokens"] + max(0.0, elapsed) * rate)
    return Budget(row["id"], min(free, int(tokens)), rate, tokens, now, pair)


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
    freely = [budget for budget in allowed if budget.pair is None]
    paced = [budget for budget in allowed if budget.pair is not None]
    rows: list[Row] = []
    if freely:
        rows += await uow.fetch(CLAIM, now, *_columns(freely), now + lease)
    if paced:
        gaps, aheads = [one.gap for one in paced], [one.ahead for one in paced]
        rows += await uow.fetch(CLAIM_PACED, now, *_columns(paced), now + lease, gaps, aheads)
    for budget in allowed:
        count = sum(row["instance_id"] == budget.instance_id for row in rows)
        budget.most -= count
        if budget.rate is not None:
            budget.tokens -= count
            await uow.execute(SPEND, budget.instance_id, budget.tokens, budget.at)
    return rows


def _columns(budgets: Sequence[Budget]) -> tuple[list[UUID], list[int]]:
    return [one.instance_id for one in budgets], [one.most for one in budgets]


async def next_paced(uow: UnitOfWork, budgets: Sequence[Budget], now: datetime) -> datetime | None:
    """Return when the next message may leave that a claim left behind for its customer's pace."""
    paced = [budget for budget in budgets if budget.pair is not None and budget.most > 0]
    if not paced:
        return None
    at: datetime | None = await uow.fetch_value(
        NEXT_PACED, now, [one.instance_id for one in paced], [one.ahead for one in paced]
    )
    return at
