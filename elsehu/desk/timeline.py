"""What happened to a conversation at the desk: written with the change itself, shown newest first."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.user import Caller
from elsehu.db import Row, UnitOfWork
from elsehu.http.pages import decode_cursor, page_of, serial
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.data import ContactData, Person

RECORD = """
INSERT INTO conversation_timeline (conversation_id, action, actor_id, actor_name, details, at)
VALUES ($1, $2, $3, $4, $5::jsonb, clock_timestamp()) RETURNING id, action, actor_id, actor_name, details, at
"""
"""Each step at its own time, not its transaction's: that may have begun before the step that it had to wait for."""

PAGE = """
WITH RECURSIVE whole AS (
    SELECT $1::uuid AS id UNION SELECT v.id FROM whole JOIN conversations v ON v.merged_into = whole.id
)
SELECT t.id, action, actor_id, actor_name, details, at
FROM whole JOIN conversation_timeline t ON t.conversation_id = whole.id
WHERE t.id < $2 ORDER BY t.id DESC LIMIT $3
"""
"""With the steps of conversations that became part of this one."""

EXPORT = """
SELECT id, conversation_id, action, actor_id, actor_name, details, at FROM conversation_timeline
WHERE conversation_id = ANY($1::uuid[]) ORDER BY id
"""
ERASE = """
UPDATE conversation_timeline SET details = details::jsonb - ARRAY['text', 'reason', 'notes', 'fields', 'tags']
WHERE conversation_id = ANY($1::uuid[])
"""
AFTER_ALL = 2**63 - 1


async def record(
    uow: UnitOfWork, caller: Caller, conversation_id: UUID, action: str, details: Mapping[str, Any]
) -> Row:
    """Add a step, in the transaction that makes it, and return its row. `details` must be JSON-ready."""
    shown = orjson.dumps(details).decode()
    row = await uow.fetch_row(RECORD, conversation_id, action, caller.user_id, caller.name, shown)
    assert row is not None
    return row


def entry_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's REST shape."""
    return {
        "id": str(row["id"]),
        "action": row["action"],
        "actor": {"id": row["actor_id"] and str(row["actor_id"]), "name": row["actor_name"]},
        "details": orjson.loads(row["details"]),
        "at": isoformat(row["at"]),
    }


async def page(kernel: Kernel, conversation_id: UUID, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of a conversation's timeline, newest first. Raises Invalid for a bad cursor."""
    before = decode_cursor(cursor, (serial,))[0] if cursor else AFTER_ALL
    rows = await kernel.db.fetch(PAGE, conversation_id, before, limit + 1)
    return page_of(rows, limit, lambda row: (row["id"],), entry_view)


async def erase(uow: UnitOfWork, person: Person) -> None:
    """Take out what people wrote about an erased contact; who worked on it and when stays."""
    await uow.execute(ERASE, person.conversation_ids)


async def export(uow: UnitOfWork, person: Person) -> list[dict[str, Any]]:
    """Return the timelines of all the contact's conversations, oldest entry first."""
    rows = await uow.fetch(EXPORT, person.conversation_ids)
    return [{**entry_view(row), "conversationId": str(row["conversation_id"])} for row in rows]


CONTACT_DATA = ContactData("timeline", erase, export)
