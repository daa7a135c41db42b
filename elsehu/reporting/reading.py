"""Reading histories: the conversations, their steps and their messages, some hundred conversations at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from elsehu.db import Row, UnitOfWork
from elsehu.reporting.history import History, Step, Thread, Who, Written

WHOLE = """
WITH RECURSIVE whole AS (
    SELECT v.id AS root, v.id FROM conversations v
    WHERE v.id = ANY($1::uuid[]) AND v.status = 'closed' AND v.merged_into IS NULL
    UNION ALL
    SELECT whole.root, v.id FROM whole JOIN conversations v ON v.merged_into = whole.id
)
"""
"""The finished conversations among some, each with those that became part of it."""

MS = "floor(extract(epoch FROM {}) * 1000)::bigint"
THREADS = f"""{WHOLE}
SELECT whole.root, v.id, v.merged_into, v.instance_id, v.assigned_to, v.tabulation_id, v.opened_at, v.closed_at,
       {MS.format("v.opened_at")} AS opened, {MS.format("v.closed_at")} AS closed
FROM whole JOIN conversations v ON v.id = whole.id ORDER BY v.closed_at, v.id
"""  # noqa: S608
STEPS = f"""{WHOLE}
SELECT t.conversation_id AS id, t.action, (t.details -> 'to' ->> 'id')::uuid AS to, {MS.format("t.at")} AS at
FROM whole JOIN conversation_timeline t ON t.conversation_id = whole.id
WHERE t.action = 'closed' OR t.details ?| ARRAY['from', 'to'] ORDER BY t.id
"""  # noqa: S608
MESSAGES = f"""{WHOLE}
SELECT whole.root, {MS.format("n.at")} AS at, n.who, m.sender_id, m.lane_id
FROM whole JOIN messages m ON m.conversation_id = whole.id
CROSS JOIN LATERAL (
    SELECT 'customer' AS who, m.at WHERE m.direction = 'INBOUND'
    UNION ALL SELECT 'bulk', m.sent_at WHERE m.direction = 'OUTBOUND' AND m.lane = 1
    UNION ALL SELECT 'operator', m.created_at WHERE m.direction = 'OUTBOUND' AND m.lane = 0 AND m.sender_id IS NOT NULL
    UNION ALL SELECT CASE WHEN m.attempts = 0 AND m.sent_at IS NOT NULL THEN 'phone' ELSE 'machine' END,
                     CASE WHEN m.attempts = 0 AND m.sent_at IS NOT NULL THEN m.at ELSE m.created_at END
    WHERE m.direction = 'OUTBOUND' AND m.lane = 0 AND m.sender_id IS NULL
) n
WHERE m.kind <> 'reaction' AND n.at IS NOT NULL ORDER BY at, m.seq
"""  # noqa: S608
"""What left without an attempt of ours left by another road: the owner's phone, or another program."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished conversation: its row, and its history."""

    row: Row
    history: History


async def read(uow: UnitOfWork, ids: Sequence[UUID]) -> list[Finished]:
    """Return those of the conversations that are finished ones."""
    threads = await uow.fetch(THREADS, ids)
    steps, messages = _steps(await uow.fetch(STEPS, ids)), _messages(await uow.fetch(MESSAGES, ids))
    merged = defaultdict(list)
    for row in threads:
        merged[row["merged_into"]].append(row)
    found = [Finished(row, History(_thread(row, merged, steps), messages[row["id"]])) for row in merged[None]]
    return [one for one in found if one.history.exists]


def _thread(row: Row, merged: Mapping[UUID, Sequence[Row]], steps: Mapping[UUID, Sequence[Step]]) -> Thread:
    others = [_thread(other, merged, steps) for other in merged.get(row["id"], ())]
    return Thread(row["id"], row["opened"], row["closed"], steps.get(row["id"], ()), others)


def _steps(rows: Iterable[Row]) -> Mapping[UUID, list[Step]]:
    found: defaultdict[UUID, list[Step]] = defaultdict(list)
    for row in rows:
        found[row["id"]].append(Step(row["at"], row["action"], row["to"]))
    return found


def _messages(rows: Iterable[Row]) -> defaultdict[UUID, list[Written]]:
    found: defaultdict[UUID, list[Written]] = defaultdict(list)
    for row in rows:
        found[row["root"]].append(Written(row["at"], WHO[row["who"]], row["sender_id"], row["lane_id"]))
    return found


WHO = {one.value: one for one in Who}
