"""The outbound queue: the rows themselves. Claimed with SKIP LOCKED, one message of a conversation at a time.

What people write goes first, then the lanes that are open and whose turn it is (lanes.py). A claim has an end
(`claimed_until`): whose dispatcher died with it becomes `unconfirmed` (settling.py), for nobody knows whether the
provider took it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.plugin import PairLimit
from elsehu.db import Row, UnitOfWork
from elsehu.messaging.outbound.rates import Bucket

IS_DUE = "m.status = 'pending' AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= $1)"
IS_LATER = "m.status = 'pending' AND m.next_attempt_at > $1"
CAN_SEND = "i.is_active AND i.status = 'connected' AND (i.hold_until IS NULL OR i.hold_until <= $1)"
IS_OPEN = "l.is_open AND (l.open_until IS NULL OR l.open_until > $1)"
"""Lanes of plugins that are not enabled are closed as well: each statement asks for the owners that are."""

LOOK = f"""
SELECT i.id, own.is_due IS NOT NULL AS has_own, lanes.has_due AS has_bulk, least(later.at, lanes.next_at) AS next_at
FROM service_instances i
LEFT JOIN LATERAL (
    SELECT true AS is_due FROM messages m WHERE m.instance_id = i.id AND m.lane = 0 AND {IS_DUE} ORDER BY m.seq LIMIT 1
) own ON true
LEFT JOIN LATERAL (
    SELECT m.next_attempt_at AS at FROM messages m WHERE m.instance_id = i.id AND m.lane = 0 AND {IS_LATER}
    ORDER BY m.next_attempt_at LIMIT 1
) later ON true
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(due.is_due AND coalesce(l.next_at <= $1, true)), false) AS has_due,
           min(CASE WHEN due.is_due THEN nullif(greatest(l.next_at, $1), $1) ELSE greatest(l.next_at, later.at) END)
           AS next_at
    FROM message_lanes l
    LEFT JOIN LATERAL (
        SELECT true AS is_due FROM messages m WHERE m.lane_id = l.id AND m.lane = 1 AND {IS_DUE} ORDER BY m.seq LIMIT 1
    ) due ON true
    LEFT JOIN LATERAL (
        SELECT m.next_attempt_at AS at FROM messages m WHERE m.lane_id = l.id AND m.lane = 1 AND {IS_LATER}
        ORDER BY m.next_attempt_at LIMIT 1
    ) later ON true
    WHERE l.instance_id = i.id AND {IS_OPEN} AND l.owner = ANY($2::text[]) AND (due.is_due OR later.at IS NOT NULL)
) lanes
WHERE {CAN_SEND} ORDER BY i.id
"""  # noqa: S608
"""The numbers that can send: whether anything is due, and when the next will be. What waits in lanes that are closed
is not looked at. Each ORDER BY … LIMIT 1 has every plan read its index, however many it takes for pending."""

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('outbound ' || id, 0)) FROM unnest($1::uuid[]) AS id"
"""One process at a time claims from a number, and each with a snapshot of its own: two that see half of each other's
claims could both take a message of one conversation, for what people write overtakes what is being claimed."""

BUCKETS = "SELECT id, rate_tokens, rate_at FROM service_instances WHERE id = ANY($1::uuid[])"
SPEND = """
UPDATE service_instances i SET rate_tokens = s.tokens, rate_at = s.at
FROM unnest($1::uuid[], $2::float8[], $3::timestamptz[]) AS s(id, tokens, at) WHERE i.id = s.id
"""

IS_HEAD = f"""{IS_DUE} AND NOT EXISTS (
    SELECT 1 FROM messages other
    WHERE other.conversation_id = m.conversation_id AND other.status IN ('pending', 'sending')
      AND (other.status = 'sending' OR other.lane < m.lane OR (
          other.lane = m.lane AND other.seq < m.seq AND (m.lane = 0 OR other.lane_id = m.lane_id))))"""  # noqa: S608
"""Lanes wait for what people write, but not for each other: what is paused in one holds up none of another."""


def _heads(of: str, most: str, *, paced: bool) -> str:
    """Return the SQL of the messages `of` somebody that may leave, at most one of each conversation.

    Paced ones are also within their customer's limit, and their conversations are not waited for: whoever stores what
    comes in holds them, and may want our messages.
    """
    join = "JOIN conversations v ON v.id = m.conversation_id" if paced else ""
    pace = "AND (v.paced_until IS NULL OR v.paced_until - w.ahead <= $1)" if paced else ""
    lock = "FOR NO KEY UPDATE OF v SKIP LOCKED" if paced else ""
    return f"""
        SELECT m.id, m.conversation_id, m.seq FROM messages m {join} WHERE {of} AND {IS_HEAD} {pace}
        ORDER BY m.seq LIMIT {most} FOR UPDATE OF m SKIP LOCKED {lock}"""  # noqa: S608


BUDGETS = f"""
    SELECT w.* FROM unnest($2::uuid[], $3::int[], $6::interval[], $7::interval[]) AS w(instance_id, most, gap, ahead)
    JOIN service_instances i ON i.id = w.instance_id WHERE {CAN_SEND}
"""  # noqa: S608
"""Looked at in the claim itself: what a sick number put back into its queue is seen only together with its sickness."""


def _own(*, paced: bool) -> str:
    return f"""
WITH wanted AS (
    SELECT head.id, head.conversation_id, w.gap, NULL::uuid AS lane_id,
           row_number() OVER (PARTITION BY w.instance_id ORDER BY head.seq) AS place
    FROM ({BUDGETS}) w
    CROSS JOIN LATERAL ({_heads("m.instance_id = w.instance_id AND m.lane = 0", "w.most", paced=paced)}) head
    ORDER BY place LIMIT $5
), served AS (SELECT NULL::uuid AS id, NULL::timestamptz AS next_at WHERE false)"""  # noqa: S608


def _bulk(*, paced: bool) -> str:
    """Return the SQL of the lanes' turn. Lanes of one number take turns, the one that was served first comes first.

    Where several have something for one conversation, the first gets to send.

    A lane's row is locked, so that what stops it is seen or comes after: and whoever holds it is not waited for. Its
    next gap counts from when the last one was to end, so that the mean is kept; not so after a longer rest.
    """
    heads = _heads("m.lane_id = w.lane_id AND m.lane = 1", "CASE w.gap_ms WHEN 0 THEN w.most ELSE 1 END", paced=paced)
    return f"""
WITH turns AS MATERIALIZED (
    SELECT l.id AS lane_id, l.next_at, l.gap_ms, w.* FROM ({BUDGETS}) w
    JOIN message_lanes l ON l.instance_id = w.instance_id
    WHERE {IS_OPEN} AND l.owner = ANY($8::text[]) AND (l.next_at IS NULL OR l.next_at <= $1)
    FOR NO KEY UPDATE OF l SKIP LOCKED
), queues AS (
    SELECT head.id, head.conversation_id, w.*, row_number() OVER (PARTITION BY w.lane_id ORDER BY head.seq) AS turn
    FROM turns w CROSS JOIN LATERAL ({heads}) head
), threads AS (
    SELECT DISTINCT ON (conversation_id) * FROM queues ORDER BY conversation_id, turn, next_at NULLS FIRST, lane_id
), numbers AS (
    SELECT *, row_number() OVER (PARTITION BY instance_id ORDER BY turn, next_at NULLS FIRST, lane_id) AS place
    FROM threads
), wanted AS (
    SELECT id, conversation_id, gap, lane_id FROM numbers WHERE place <= most ORDER BY place LIMIT $5
), served AS (
    UPDATE message_lanes l SET next_at = CASE WHEN l.gap_ms = 0 THEN $1::timestamptz ELSE
        CASE WHEN l.next_at > $1 - l.gap_ms * interval '0.05 milliseconds' THEN l.next_at ELSE $1 END
        + l.gap_ms * (1 + l.jitter * (2 * random() - 1)) * interval '1 millisecond' END
    FROM (SELECT DISTINCT lane_id FROM wanted) w WHERE l.id = w.lane_id RETURNING l.id, l.next_at
)"""  # noqa: S608


PAID = """, paid AS (
    UPDATE conversations v SET paced_until = greatest(v.paced_until, $1) + wanted.gap
    FROM wanted WHERE v.id = wanted.conversation_id AND v.id = ANY(ARRAY(SELECT conversation_id FROM wanted))
)"""
"""The ANY says what the join says already, but in a way that has every plan look the conversations up by their key."""

CLAIMED = """, claimed AS (
    UPDATE messages m SET status = 'sending', status_rank = 1, claimed_until = $4, attempts = m.attempts + 1,
        at = CASE WHEN m.lane = 1 AND m.attempts = 0 THEN date_trunc('second', $1::timestamptz) ELSE m.at END
    FROM wanted WHERE m.id = wanted.id AND m.status_rank = 0 AND m.id = ANY(ARRAY(SELECT id FROM wanted))
    RETURNING m.*
), told AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:updated', id, conversation_id FROM claimed WHERE attempts > 1
)
SELECT c.id, c.seq, c.conversation_id, c.instance_id, c.kind, c.text, c.payload, c.media_id, c.client_id, c.lane,
       c.reply_to_external_id, c.request_id, c.attempts, c.claimed_until, v.window_expires_at, t.addresses,
       q.direction AS quoted_direction, q.text AS quoted_text, served.next_at AS lane_next_at,
       CASE WHEN c.lane = 1 THEN c.at ELSE c.created_at END AS since,
       c.lane = 1 AND (SELECT k.opted_out_at IS NOT NULL FROM contacts k WHERE k.id = v.contact_id) AS is_unwanted
FROM claimed c
CROSS JOIN LATERAL (
    SELECT contact_id, window_expires_at FROM conversations WHERE id = c.conversation_id LIMIT 1
) v
LEFT JOIN LATERAL (
    SELECT direction, text FROM messages
    WHERE instance_id = c.instance_id AND external_id = c.reply_to_external_id LIMIT 1
) q ON c.reply_to_external_id IS NOT NULL
CROSS JOIN LATERAL (
    SELECT array_agg(ARRAY[a.kind, a.value, a.address, a.scope] ORDER BY a.last_seen_at DESC, a.kind DESC) AS addresses
    FROM contact_identities a WHERE a.contact_id = v.contact_id
) t
LEFT JOIN served ON served.id = c.lane_id
ORDER BY c.lane, c.seq
"""
"""A first attempt is told of by its outcome, a further one at once: until then its message showed an error. What was
sent in bulk is shown, and grows old, from when it leaves. The LIMITs have every plan look rows up by their keys; so has
it the rank of `pending`, for by the status a plan may read all that is pending, time and again."""

CLAIM = _own(paced=False) + CLAIMED
CLAIM_PACED = _own(paced=True) + PAID + CLAIMED
CLAIM_BULK = _bulk(paced=False) + CLAIMED
CLAIM_BULK_PACED = _bulk(paced=True) + PAID + CLAIMED

NEXT_PACED = f"""
SELECT min(v.paced_until - w.ahead) FROM unnest($2::uuid[], $3::interval[]) AS w(instance_id, ahead)
CROSS JOIN LATERAL (
    SELECT m.conversation_id FROM messages m WHERE m.instance_id = w.instance_id AND m.lane = 0 AND {IS_HEAD}
    ORDER BY m.seq LIMIT 500
) head
CROSS JOIN LATERAL (SELECT paced_until FROM conversations WHERE id = head.conversation_id LIMIT 1) v
"""  # noqa: S608

ANY_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The messages a second that a number may send, and what one customer may get. None: as many as you like."""

    rate: float | None = None
    pair: PairLimit | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """How many messages may be claimed in all, and how many of them of lanes."""

    all: int
    bulk: int = 0


@dataclass(slots=True)
class Budget:
    """What a number may send now: whether it has any of people's and of lanes, the tokens of its rate, its limits."""

    instance_id: UUID
    has_own: bool = True
    has_bulk: bool = False
    bucket: Bucket | None = None
    pair: PairLimit | None = None

    @property
    def most(self) -> int:
        """How many messages its rate lets go."""
        return ANY_NUMBER if self.bucket is None else int(self.bucket.tokens)

    @property
    def gap(self) -> timedelta:
        """How long one message to a customer counts."""
        return timedelta(seconds=self.pair.seconds if self.pair else 0)

    @property
    def ahead(self) -> timedelta:
        """How far ahead of that pace a customer's messages may be."""
        return self.gap * (self.pair.burst if self.pair else 0)


async def look(uow: UnitOfWork, now: datetime, owners: Sequence[str] = ()) -> Sequence[Row]:
    """Return the instances that can send, what they have that is due, and when more will be.

    Of lanes only those of the plugins `owners` count.
    """
    return await uow.fetch(LOOK, now, owners)


async def budgets(
    uow: UnitOfWork, ready: Sequence[Mapping[str, Any]], limits: Mapping[UUID, Limits], now: datetime
) -> list[Budget]:
    """Return what instances (rows of `look`) may send. Nobody else claims from them until the transaction ends."""
    await uow.execute(LOCK, sorted(limits))
    rates = {one: found.rate for one, found in limits.items() if found.rate is not None}
    rows = await uow.fetch(BUCKETS, list(rates)) if rates else ()
    buckets = {row["id"]: _bucket(row, rates[row["id"]], now.timestamp()) for row in rows}
    return [
        Budget(row["id"], row["has_own"], row["has_bulk"], buckets.get(row["id"]), limits[row["id"]].pair)
        for row in ready
    ]


def _bucket(row: Mapping[str, Any], rate: float, now: float) -> Bucket:
    if row["rate_at"] is None:
        return Bucket.full(rate, now)
    bucket = Bucket(rate, row["rate_tokens"], row["rate_at"].timestamp())
    bucket.fill(now)
    return bucket


async def claim(
    uow: UnitOfWork,
    budgets: Sequence[Budget],
    free: Slots,
    now: datetime,
    lease: timedelta,
    *,
    owners: Sequence[str] = (),
) -> Sequence[Row]:
    """Claim what `budgets` allow, at most one message of each conversation, and pay for it.

    Lanes (those of the plugins `owners`) get what people leave them of their number's rate and of the slots.
    """
    until = now + lease
    own = await _claim(uow, (CLAIM, CLAIM_PACED), [one for one in budgets if one.has_own], free.all, (now, until))
    slots = min(free.bulk, free.all - len(own))
    lanes = [one for one in budgets if one.has_bulk]
    rows = own + await _claim(uow, (CLAIM_BULK, CLAIM_BULK_PACED), lanes, slots, (now, until), owners)
    claimed_from = {row["instance_id"] for row in rows}
    await _spend(
        uow, {one.instance_id: one.bucket for one in budgets if one.bucket and one.instance_id in claimed_from}
    )
    return rows


async def _claim(
    uow: UnitOfWork,
    statements: tuple[str, str],
    budgets: Sequence[Budget],
    slots: int,
    times: tuple[datetime, datetime],
    *more: Sequence[str],
) -> list[Row]:
    """Claim by one of `statements`, the second for numbers with a limit for one customer, from now until then."""
    rows: list[Row] = []
    for is_paced, sql in enumerate(statements):
        allowed = [one for one in budgets if one.most > 0 and (one.pair is not None) == is_paced]
        left = slots - len(rows)
        if allowed and left > 0:
            mosts = [min(one.most, left) for one in allowed]
            gaps, aheads = [one.gap for one in allowed], [one.ahead for one in allowed]
            rows += await uow.fetch(sql, times[0], _ids(allowed), mosts, times[1], left, gaps, aheads, *more)
    for budget in budgets:
        if budget.bucket is not None:
            budget.bucket.tokens -= sum(row["instance_id"] == budget.instance_id for row in rows)
    return rows


def _ids(budgets: Sequence[Budget]) -> list[UUID]:
    return [one.instance_id for one in budgets]


async def _spend(uow: UnitOfWork, buckets: Mapping[UUID, Bucket]) -> None:
    if buckets:
        times = [_time(bucket.at) for bucket in buckets.values()]
        await uow.execute(SPEND, list(buckets), [bucket.tokens for bucket in buckets.values()], times)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def more_at(uow: UnitOfWork, budgets: Sequence[Budget], claimed: Sequence[Row], now: datetime) -> datetime | None:
    """Return when the next message may leave that a claim left behind.

    For its number's rate, its customer's pace, its lane's gap. (What a lane left behind for a customer's pace is found
    by whoever looks next.)
    """
    paced = [one for one in budgets if one.pair is not None and one.has_own and one.most > 0]
    times = [row["lane_next_at"] for row in claimed]
    times += [_time(one.bucket.next_at()) for one in budgets if one.bucket is not None and one.most <= 0]
    if paced:
        times.append(await uow.fetch_value(NEXT_PACED, now, _ids(paced), [one.ahead for one in paced]))
    return min((at for at in times if at is not None), default=None)
