"""Reading the audit log: by whom, what, about what, when. Newest first, in pages that stay where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.db import Database, Row

PAGE = """
SELECT id, at, actor_id, actor_name, action, subject, details, address, request_id FROM audit_log
WHERE ($1::uuid IS NULL OR actor_id = $1) AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR subject = $3)
  AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) AND ($6::bigint IS NULL OR id < $6)
ORDER BY id DESC LIMIT $7
"""
"""Conditions that are not asked for vanish when the statement is planned for its arguments; then an index of
migration 0003 gives the order."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries: those that fit every condition given. `start` is included, `end` is not."""

    actor_id: UUID | None = None
    action: str | None = None
    subject: str | None = None
    start: datetime | None = None
    end: datetime | None = None


async def entries(db: Database, asked: Asked, before: int | None, limit: int) -> Sequence[Row]:
    """Return the newest `limit` entries that fit, older than the entry `before`."""
    conditions = (asked.actor_id, asked.action, asked.subject, asked.start, asked.end)
    return await db.fetch(PAGE, *conditions, before, limit)


def entry_view(row: Row) -> Mapping[str, Any]:
    """Return an entry's REST shape."""
    return {
        "id": row["id"],
        "at": isoformat(row["at"]),
        "actor": {"id": row["actor_id"] and str(row["actor_id"]), "name": row["actor_name"]},
        "action": row["action"],
        "subject": row["subject"],
        "details": orjson.loads(row["details"]),
        "address": row["address"],
        "requestId": row["request_id"],
    }
