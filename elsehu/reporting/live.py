"""The live board: open conversations as they are now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.db import Row
from elsehu.identity.presence import presence_of
from elsehu.kernel import Kernel

AGES = (60, 300, 900, 3600)
"""Seconds."""

QUEUED = """
SELECT v.instance_id, coalesce(v.queued_at, v.opened_at) AS since FROM conversations v
WHERE v.status = 'queued' AND ($1::uuid IS NULL OR v.instance_id = $1)
"""
ASSIGNED = """
SELECT v.instance_id, v.assigned_to, u.name, count(*) AS assigned, count(w.since) AS unanswered, min(w.since) AS since
FROM conversations v JOIN users u ON u.id = v.assigned_to
LEFT JOIN LATERAL (
    SELECT min(m.at) AS since FROM messages m
    WHERE v.last_message_direction = 'INBOUND' AND m.conversation_id = v.id AND m.direction = 'INBOUND'
      AND m.kind <> 'reaction' AND m.at >= v.opened_at AND m.at > coalesce((
        SELECT max(o.at) FROM messages o WHERE o.conversation_id = v.id AND o.direction = 'OUTBOUND'
          AND o.lane = 0 AND o.kind <> 'reaction'), '-infinity')
) w ON true
WHERE v.status = 'assigned' AND ($1::uuid IS NULL OR v.instance_id = $1)
GROUP BY 1, 2, 3
"""
INSTANCES = "SELECT id, name FROM service_instances WHERE id = ANY($1::uuid[]) ORDER BY name, id"
QUEUE_LIST = "/api/conversations?status=queued"
OPERATOR_LIST = "/api/conversations?status=assigned&assignedTo="


async def live(kernel: Kernel, instance_id: UUID | None) -> dict[str, Any]:
    """Return the live board, of one number or all."""
    now = kernel.now()
    queued = await kernel.db.fetch(QUEUED, instance_id)
    assigned = await kernel.db.fetch(ASSIGNED, instance_id)
    only = f"&serviceInstanceId={instance_id}" if instance_id else ""
    return {
        "at": isoformat(now),
        "queue": _queue(now, [row["since"] for row in queued], only),
        "serviceInstances": await _instances(kernel, queued, assigned),
        "operators": await _operators(kernel, assigned, only),
    }


def _queue(now: datetime, since: Sequence[datetime], only: str) -> dict[str, Any]:
    waits = sorted((now - one).total_seconds() for one in since)
    limits = [*AGES, None]
    counts = dict.fromkeys(limits, 0)
    for wait in waits:
        counts[next((limit for limit in AGES if wait <= limit), None)] += 1
    oldest = min(since, default=None)
    return {
        "count": len(waits),
        "oldestSince": oldest and isoformat(oldest),
        "oldestSeconds": round(waits[-1], 3) if waits else None,
        "ages": [{"upTo": limit, "count": counts[limit]} for limit in limits],
        "conversations": QUEUE_LIST + only,
    }


async def _instances(kernel: Kernel, queued: Sequence[Row], assigned: Sequence[Row]) -> list[dict[str, Any]]:
    waiting: defaultdict[UUID, list[datetime]] = defaultdict(list)
    had: defaultdict[UUID, int] = defaultdict(int)
    for row in queued:
        waiting[row["instance_id"]].append(row["since"])
    for row in assigned:
        had[row["instance_id"]] += row["assigned"]
    rows = await kernel.db.fetch(INSTANCES, list({*waiting, *had}))
    return [
        {
            "serviceInstance": {"id": str(row["id"]), "name": row["name"]},
            "queued": len(waiting[row["id"]]),
            "assigned": had[row["id"]],
            "oldestSince": isoformat(min(waiting[row["id"]])) if waiting[row["id"]] else None,
        }
        for row in rows
    ]


async def _operators(kernel: Kernel, assigned: Sequence[Row], only: str) -> list[dict[str, Any]]:
    """Return each operator's load, the fullest first."""
    own: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in assigned:
        own[row["assigned_to"]].append(row)
    presence = await presence_of(kernel, list(own))
    items = [_operator(user_id, rows, presence, only) for user_id, rows in own.items()]
    return sorted(items, key=lambda one: (-one["assigned"], one["operator"]["name"], one["operator"]["id"]))


def _operator(user_id: UUID, rows: Sequence[Row], presence: Mapping[UUID, str], only: str) -> dict[str, Any]:
    since = min((row["since"] for row in rows if row["since"]), default=None)
    return {
        "operator": {"id": str(user_id), "name": rows[0]["name"]},
        "presence": presence[user_id],
        "assigned": sum(row["assigned"] for row in rows),
        "unanswered": sum(row["unanswered"] for row in rows),
        "unansweredSince": since and isoformat(since),
        "conversations": f"{OPERATOR_LIST}{user_id}{only}",
    }
