"""Recording what became of sends: many at once, each with its verdict, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import IdentitiesLinked, MessageArrived
from elsehu.contracts.message import RANK
from elsehu.db import Row, UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.inbound import reactions, statuses, updates, waiting
from elsehu.messaging.inbound.locks import lock, message_key
from elsehu.messaging.outbound.judging import Verdict

SENT = """
WITH sent AS (
    UPDATE messages m SET external_id = r.external_id, sent_at = coalesce(m.sent_at, r.at), claimed_until = NULL,
        (status, status_rank, error_code, error_detail, provider_code, failed_at) = (
            SELECT r.status, r.rank, NULL, NULL, NULL, NULL::timestamptz
            WHERE m.status_rank < r.rank OR (m.status = 'failed' AND m.external_id IS DISTINCT FROM r.external_id)
            UNION ALL
            SELECT m.status, m.status_rank, m.error_code, m.error_detail, m.provider_code, m.failed_at LIMIT 1)
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[])
        AS r(id, external_id, status, rank, at)
    WHERE m.id = r.id AND m.id = ANY($1::uuid[]) AND (
        SELECT o.id FROM messages o
        WHERE o.instance_id = m.instance_id AND o.external_id = r.external_id AND o.id <> m.id LIMIT 1) IS NULL
    RETURNING m.id, m.conversation_id, m.instance_id, m.external_id, m.kind
), told AS (
    INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM sent
)
SELECT s.id, s.instance_id, s.external_id, s.kind = 'reaction' AS is_reaction, EXISTS (
    SELECT 1 FROM waiting_updates w WHERE w.instance_id = s.instance_id AND w.external_id = s.external_id) AS is_awaited
FROM sent s
"""
"""The provider took it: of failures stands only what was told of this very attempt. Left out is whose id another
message has: a question that every plan asks the index, as a NOT EXISTS would not."""

NOT_SENT = """
WITH judged AS (
    UPDATE messages m SET status = r.status, status_rank = r.rank, error_code = r.code, error_detail = r.detail,
        provider_code = r.provider_code, next_attempt_at = r.next_attempt_at, claimed_until = NULL,
        attempts = m.attempts - r.refund, failed_at = CASE WHEN r.status = 'failed' THEN $10::timestamptz END
    FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                $8::smallint[], $9::timestamptz[])
        AS r(id, status, rank, code, detail, provider_code, next_attempt_at, refund, claimed_until)
    WHERE m.id = r.id AND m.id = ANY($1::uuid[]) AND m.status IN ('sending', 'unconfirmed') AND m.external_id IS NULL
      AND m.claimed_until = r.claimed_until
    RETURNING m.id, m.conversation_id, m.template_id
), told AS (
    INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM judged
)
SELECT j.id, j.conversation_id, j.template_id FROM judged j JOIN conversations v ON v.id = j.conversation_id
ORDER BY v.contact_id
"""
"""Only for the claim that it is the outcome of: who slept past his claim must not speak for the next one. What these
say of customers is written in the order of the customers, as everybody locks them."""

TAKEN_BY_OTHERS = """
SELECT m.id, m.attempts, r.id AS ours FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS r(id, instance_id, external_id)
JOIN messages m ON m.instance_id = r.instance_id AND m.external_id = r.external_id AND m.id <> r.id
FOR UPDATE OF m
"""
GIVE_BACK = """
WITH given AS (
    UPDATE messages SET external_id = NULL, status = 'unconfirmed', status_rank = 2, sent_at = NULL,
        sent_again_at = NULL, failed_at = NULL, delivered_at = NULL, read_at = NULL
    WHERE id = $1 RETURNING id, conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM given
"""
MOVE_REACTIONS = "UPDATE message_reactions SET message_id = $2 WHERE message_id = $1"
TAKE_OVER = """
WITH gone AS (DELETE FROM messages WHERE id = $1 RETURNING *)
UPDATE messages m SET status = gone.status, status_rank = gone.status_rank, sent_at = gone.sent_at,
    sent_again_at = gone.sent_again_at, failed_at = gone.failed_at, error_code = gone.error_code,
    error_detail = gone.error_detail, provider_code = gone.provider_code,
    delivered_at = gone.delivered_at, read_at = gone.read_at, deleted_at = gone.deleted_at, edited_at = gone.edited_at,
    text = CASE WHEN gone.edited_at IS NULL THEN m.text ELSE gone.text END
FROM gone WHERE m.id = $2
"""
"""What became of the message that is deleted becomes of ours."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one attempt."""

    message_id: UUID
    instance_id: UUID
    claimed_until: datetime
    verdict: Verdict


async def record(uow: UnitOfWork, results: Sequence[Result], now: datetime) -> None:
    """Write the outcomes, what they say beyond their messages, and what waited for ids that are now known."""
    sent = [one for one in results if one.verdict.sent is not None]
    await lock(uow, [message_key(one.instance_id, _external(one)) for one in sent])
    await _record_sent(uow, sent, now)
    await _record_not_sent(uow, [one for one in results if one.verdict.sent is None], now)
    uow.signal(SIGNAL)


def _external(result: Result) -> str:
    assert result.verdict.sent is not None
    return result.verdict.sent.external_id


async def _record_sent(uow: UnitOfWork, sent: Sequence[Result], now: datetime) -> None:
    if not sent:
        return
    rows = await uow.fetch(SENT, *_sent_columns(sent, now))
    if len(rows) < len(sent):
        there = {row["id"] for row in rows}
        rows += await _record_conflicting(uow, [one for one in sent if one.message_id not in there], now)
    await reactions.show_sent(uow, [row["id"] for row in rows if row["is_reaction"]], now)
    awaited = [(row["instance_id"], row["external_id"]) for row in rows if row["is_awaited"]]
    early = await waiting.take(uow, awaited)
    waited = [(instance, event) for instance, event in early if not isinstance(event, MessageArrived)]
    await updates.apply(uow, waited, now)


def _sent_columns(sent: Sequence[Result], now: datetime) -> tuple[list[Any], ...]:
    states = [one.verdict.status for one in sent]
    return (
        [one.message_id for one in sent],
        [_external(one) for one in sent],
        states,
        [RANK[status] for status in states],
        [(one.verdict.sent.at if one.verdict.sent else None) or now for one in sent],
    )


async def _record_conflicting(uow: UnitOfWork, sent: Sequence[Result], now: datetime) -> list[Row]:
    """Record sends whose ids at the provider other messages have."""
    ids, instances = [one.message_id for one in sent], [one.instance_id for one in sent]
    for row in await uow.fetch(TAKEN_BY_OTHERS, ids, instances, [_external(one) for one in sent]):
        await _free_external_id(uow, row)
    return await uow.fetch(SENT, *_sent_columns(sent, now))


async def _free_external_id(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """The id of our message stands on another row: an echo took the wrong one of ours, or made one of its own."""
    if row["attempts"] > 0:
        await uow.execute(GIVE_BACK, row["id"])
    else:
        await uow.execute(MOVE_REACTIONS, row["id"], row["ours"])
        await uow.execute(TAKE_OVER, row["id"], row["ours"])


async def _record_not_sent(uow: UnitOfWork, results: Sequence[Result], now: datetime) -> None:
    if not results:
        return
    results = sorted(results, key=lambda one: one.message_id)
    verdicts = [one.verdict for one in results]
    judged = await uow.fetch(
        NOT_SENT,
        [one.message_id for one in results],
        [verdict.status for verdict in verdicts],
        [RANK[verdict.status] for verdict in verdicts],
        [verdict.code for verdict in verdicts],
        [verdict.detail for verdict in verdicts],
        [verdict.provider_code for verdict in verdicts],
        [verdict.next_attempt_at for verdict in verdicts],
        [0 if verdict.counts_attempt else 1 for verdict in verdicts],
        [one.claimed_until for one in results],
        now,
    )
    marked = {one.message_id: one.verdict for one in results if one.verdict.mark is not None}
    for row in judged:
        if row["id"] in marked:
            await _mark(uow, marked[row["id"]], row, now)


async def _mark(uow: UnitOfWork, verdict: Verdict, row: Mapping[str, Any], now: datetime) -> None:
    assert verdict.mark is not None
    reason = verdict.detail or verdict.code or ""
    await statuses.mark(uow, row, verdict.mark, reason, now)


def learned(results: Sequence[Result]) -> list[IdentitiesLinked]:
    """Return the addresses that the provider's answers taught."""
    return [
        IdentitiesLinked(one.verdict.sent.identities)
        for one in results
        if one.verdict.sent is not None and one.verdict.sent.identities
    ]
