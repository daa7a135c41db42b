"""How far messages have come: what is told of them, in any order, and what failures and arrivals say beyond them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.inbound import StatusChanged
from elsehu.contracts.message import RANK, Mark, Status
from elsehu.db import UnitOfWork
from elsehu.messaging.contacts import marking
from elsehu.messaging.templates.marking import mark_template

log = structlog.get_logger("elsehu.messaging")

SET = """
WITH told AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::timestamptz[], $5::timestamptz[],
        $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[])
    AS t(id, arrived, arrived_rank, sent_at, dated_at, failed_at, delivered_at, read_at, code, detail, provider_code)
), changed AS (
    UPDATE messages m SET
        (status, status_rank, error_code, error_detail, provider_code) = (
            SELECT CASE r.rank WHEN 3 THEN 'sent' WHEN 4 THEN 'failed' WHEN m.status_rank THEN m.status
                               ELSE t.arrived END, r.rank, e.code, e.detail, e.provider_code
            FROM (SELECT CASE
                WHEN greatest(m.status_rank, t.arrived_rank) >= 5 THEN greatest(m.status_rank, t.arrived_rank)
                WHEN greatest(m.sent_again_at, t.dated_at) > greatest(m.failed_at, t.failed_at) THEN 3
                WHEN coalesce(m.failed_at, t.failed_at) IS NOT NULL THEN 4
                ELSE 3 END AS rank) r
            LEFT JOIN LATERAL (
                SELECT t.code, t.detail, t.provider_code WHERE t.failed_at >= coalesce(m.failed_at, '-infinity')
                UNION ALL SELECT m.error_code, m.error_detail, m.provider_code LIMIT 1) e ON r.rank = 4),
        sent_at = coalesce(m.sent_at, t.sent_at),
        sent_again_at = CASE WHEN t.dated_at > coalesce(greatest(m.sent_again_at, m.sent_at), '-infinity')
                             THEN t.dated_at ELSE m.sent_again_at END,
        failed_at = greatest(m.failed_at, t.failed_at),
        delivered_at = CASE WHEN m.direction = 'OUTBOUND' THEN least(m.delivered_at, t.delivered_at) END,
        read_at = least(m.read_at, t.read_at),
        claimed_until = NULL
    FROM told t
    WHERE m.id = t.id AND (m.direction = 'OUTBOUND' OR t.arrived_rank > 5)
      AND (m.status_rank < t.arrived_rank OR t.delivered_at < m.delivered_at OR t.read_at < m.read_at
           OR (m.status_rank < 5 AND (m.status_rank < 3
               OR t.failed_at > coalesce(m.failed_at, '-infinity')
               OR t.dated_at > coalesce(greatest(m.sent_again_at, m.sent_at), '-infinity'))))
    RETURNING m.id, m.conversation_id, m.template_id, m.direction, m.status, t.delivered_at,
        m.status <> 'sent' OR m.failed_at IS NOT NULL OR m.sent_at IS NOT DISTINCT FROM t.sent_at AS is_visible
), shown AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:updated', id, conversation_id FROM changed WHERE is_visible
)
SELECT c.id, c.conversation_id, c.template_id, c.status,
       c.direction = 'OUTBOUND' AND k.unreachable_at < c.delivered_at AS was_doubted
FROM changed c JOIN conversations v ON v.id = c.conversation_id JOIN contacts k ON k.id = v.contact_id
"""
"""The rule is in `contracts.message.RANK`; 3 is `sent`, 4 `failed`, from 5 on it arrived. Nothing is to be seen of a
`sent` of what was sent: it is kept for the failure that may be told after it."""


@dataclass(slots=True)
class Told:
    """All that one batch tells of one message."""

    message_id: UUID
    arrived: Status | None = None
    sent_at: datetime | None = None
    dated_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    failure: StatusChanged | None = None

    def add(self, change: StatusChanged, now: datetime) -> None:
        """Take in one status. A `sent` counts against a failure only where the provider gives its time."""
        at = change.at or now
        if change.status is Status.SENT:
            self.sent_at = max(self.sent_at or at, at)
            self.dated_at = max(filter(None, (self.dated_at, change.at)), default=None)
        elif change.status is Status.FAILED:
            if self.failed_at is None or at > self.failed_at:
                self.failed_at, self.failure = at, change
        elif change.status in (Status.DELIVERED, Status.READ, Status.PLAYED):
            self._arrive(change.status, at)

    def _arrive(self, status: Status, at: datetime) -> None:
        self.delivered_at = min(self.delivered_at or at, at)
        if status is not Status.DELIVERED:
            self.read_at = min(self.read_at or at, at)
        if self.arrived is None or RANK[status] > RANK[self.arrived]:
            self.arrived = status


async def change(uow: UnitOfWork, changes: Iterable[tuple[UUID, StatusChanged]], now: datetime) -> None:
    """Apply statuses to messages by id, and what they say of customers and templates."""
    told: dict[UUID, Told] = {}
    for message_id, status in changes:
        told.setdefault(message_id, Told(message_id)).add(status, now)
    if told:
        rows = await uow.fetch(SET, *_columns([told[message_id] for message_id in sorted(told)]))
        await _conclude(uow, told, {row["id"]: row for row in rows})


def _columns(told: Sequence[Told]) -> tuple[list[Any], ...]:
    failures = [one.failure for one in told]
    return (
        [one.message_id for one in told],
        [one.arrived for one in told],
        [RANK[one.arrived] if one.arrived else 0 for one in told],
        [one.sent_at for one in told],
        [one.dated_at for one in told],
        [one.failed_at for one in told],
        [one.delivered_at for one in told],
        [one.read_at for one in told],
        [failure and failure.error_code for failure in failures],
        [failure and failure.error_detail for failure in failures],
        [failure and failure.provider_code for failure in failures],
    )


async def _conclude(uow: UnitOfWork, told: Mapping[UUID, Told], rows: Mapping[UUID, Mapping[str, Any]]) -> None:
    for message_id, one in told.items():
        row = rows.get(message_id)
        if one.failure is None or one.failed_at is None:
            continue
        if row is None or row["status"] != Status.FAILED:
            log.info("failure_ignored", message=str(message_id), code=one.failure.error_code)
        elif one.failure.mark is not None:
            reason = one.failure.error_detail or one.failure.error_code or ""
            await mark(uow, row, one.failure.mark, reason, one.failed_at)
    await marking.reached(uow, [row["conversation_id"] for row in rows.values() if row["was_doubted"]])


async def mark(uow: UnitOfWork, message: Mapping[str, Any], mark: Mark, reason: str, at: datetime) -> None:
    """Note what the failure of `message` (its conversation_id, its template_id) says of customer or template."""
    if mark is not Mark.TEMPLATE:
        await marking.mark(uow, [message["conversation_id"]], mark, reason, at)
    elif message["template_id"] is not None:
        await mark_template(uow, [message["template_id"]], reason, at)
