"""Contacts as they are shown, and their list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import NotFound
from elsehu.contracts.message import IdentityKind
from elsehu.db import Database, UnitOfWork
from elsehu.events import SIGNAL
from elsehu.http.pages import aware_time, decode_cursor, page_of
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.names import SHOWN_NAME
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.schemas import ContactQuery
from elsehu.phones import to_e164

COLUMNS = f"""
SELECT c.id, {SHOWN_NAME} AS name, c.username, c.phone, c.email, c.tags, c.custom,
       c.opted_out_at, c.unreachable_at, c.unreachable_reason, c.created_at,
       (SELECT json_agg(json_build_object('kind', i.kind, 'value', i.value) ORDER BY i.first_seen_at, i.id)
        FROM contact_identities i WHERE i.contact_id = c.id) AS identities
FROM contacts c
"""  # noqa: S608 - a constant
BY_ID = COLUMNS + "WHERE c.id = $1"
NEWEST_FIRST = "ORDER BY c.created_at DESC, c.id DESC LIMIT"
"""Served by the index contacts_list."""

KEPT = """
WITH RECURSIVE chain AS (
    SELECT id, merged_into FROM contacts WHERE id = $1
    UNION ALL SELECT c.id, c.merged_into FROM chain JOIN contacts c ON c.id = chain.merged_into
)
SELECT id FROM chain WHERE merged_into IS NULL
"""

TELL = """
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', id, id FROM conversations WHERE contact_id = $1 AND status <> 'closed'
"""

HOLD = "SELECT merged_into FROM contacts WHERE id = $1 FOR KEY SHARE"


def contact_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contact's REST shape from a row of COLUMNS."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "username": row["username"] or None,
        "phone": to_e164(row["phone"]) if row["phone"] else None,
        "email": row["email"],
        "identities": [_identity(one) for one in orjson.loads(row["identities"] or "[]")],
        "tags": list(row["tags"]),
        "optedOut": row["opted_out_at"] is not None,
        "unreachable": _unreachable(row["unreachable_at"], row["unreachable_reason"]),
        "custom": orjson.loads(row["custom"]),
        "createdAt": isoformat(row["created_at"]),
    }


def _unreachable(at: datetime | None, reason: str) -> dict[str, str] | None:
    return None if at is None else {"at": isoformat(at), "reason": reason}


def _identity(one: dict[str, str]) -> dict[str, str]:
    shown = to_e164(one["value"]) if one["kind"] == IdentityKind.PHONE else one["value"]
    return {"kind": one["kind"], "value": shown}


async def kept_contact(db: Database | UnitOfWork, contact_id: UUID) -> UUID:
    """Return the id of the contact that `contact_id` is or was merged into. Raises NotFound."""
    kept: UUID | None = await db.fetch_value(KEPT, contact_id)
    if kept is None:
        raise NotFound("contact_not_found", "There is no such contact.")
    return kept


async def hold_contact(uow: UnitOfWork, contact_id: UUID) -> UUID:
    """Return what `kept_contact` does, and keep that contact from being merged until the transaction ends."""
    kept = await kept_contact(uow, contact_id)
    while (merged_into := await uow.fetch_value(HOLD, kept)) is not None:
        kept = await kept_contact(uow, merged_into)
    return kept


async def tell_of_contact(uow: UnitOfWork, contact_id: UUID) -> None:
    """Tell of the open conversations that show a contact: it looks different now."""
    await uow.execute(TELL, contact_id)
    uow.signal(SIGNAL)


async def get_contact(db: Database | UnitOfWork, contact_id: UUID) -> dict[str, Any]:
    """Return the REST shape of a contact, of the kept one if it was merged. Raises NotFound."""
    row = await db.fetch_row(BY_ID, await kept_contact(db, contact_id))
    assert row is not None
    return contact_view(row)


async def contact_page(kernel: Kernel, query: ContactQuery) -> dict[str, Any]:
    """Return a page of contacts, newest first; archived and merged ones are hidden. Raises Invalid."""
    filters = _filters(query, kernel.settings.messaging.default_region)
    sql = f"{COLUMNS} WHERE {filters.where()} {NEWEST_FIRST} {query.limit + 1:d}"
    rows = await kernel.db.fetch(sql, *filters.arguments)
    return page_of(rows, query.limit, lambda row: (row["created_at"].isoformat(), row["id"]), contact_view)


def _filters(query: ContactQuery, default_region: str) -> Filters:
    filters = Filters(["c.archived_at IS NULL", "c.merged_into IS NULL"])
    if query.search:
        filters.add_search("c.search_text", query.search, default_region)
    if query.tag:
        filters.add("c.tags @> ARRAY[{}::text]::varchar[]", query.tag)
    if query.cursor:
        filters.add("(c.created_at, c.id) < ({}, {})", *decode_cursor(query.cursor, (aware_time, UUID)))
    return filters
