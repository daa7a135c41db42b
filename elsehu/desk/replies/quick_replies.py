"""Canned replies: everybody's, kept by supervisors, and each user's own."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import Conflict, FieldError, Invalid, NotFound, PermissionDenied
from elsehu.contracts.user import Caller
from elsehu.db import Database, Row, UnitOfWork
from elsehu.desk.replies.places import Filled, fill, first_name, places_in
from elsehu.desk.replies.schemas import QuickReplyIn, QuickReplyQuery
from elsehu.http.pages import decode_cursor, page_of
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.search import plain
from elsehu.messaging.conversations.filters import Filters

SHOWN = "id, owner_id, shortcut, title, text, created_at, updated_at, lower(shortcut) AS sorted"
ONE = f"SELECT {SHOWN} FROM quick_replies WHERE id = $1 AND (owner_id IS NULL OR owner_id = $2)"  # noqa: S608
INSERT = f"""
INSERT INTO quick_replies (id, owner_id, shortcut, title, text, search_text) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING {SHOWN}
"""  # noqa: S608
UPDATE = f"""
UPDATE quick_replies SET shortcut = $2, title = $3, text = $4, search_text = $5, updated_at = now()
WHERE id = $1 RETURNING {SHOWN}
"""  # noqa: S608
CONTACT = "SELECT email, custom FROM contacts WHERE id = $1"


def reply_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a canned reply's REST shape."""
    return {
        "id": str(row["id"]),
        "shortcut": row["shortcut"],
        "title": row["title"],
        "text": row["text"],
        "shared": row["owner_id"] is None,
        "places": places_in(row["text"]),
        "createdAt": isoformat(row["created_at"]),
        "updatedAt": isoformat(row["updated_at"]),
    }


async def reply_page(kernel: Kernel, caller: Caller, query: QuickReplyQuery) -> dict[str, Any]:
    """Return a page of the canned replies that `caller` has, by shortcut. Raises Invalid for a bad cursor."""
    filters = Filters()
    filters.add("(owner_id IS NULL OR owner_id = {}::uuid)", caller.user_id)
    if query.shared is not None:
        filters.add("(owner_id IS NULL) = {}", query.shared)
    filters.add_words("search_text", query.search or "")
    if query.cursor:
        filters.add("(lower(shortcut), id) > ({}, {})", *decode_cursor(query.cursor, (str, UUID)))
    sql = f"SELECT {SHOWN} FROM quick_replies WHERE {filters.where()} ORDER BY lower(shortcut), id LIMIT "  # noqa: S608
    rows = await kernel.db.fetch(f"{sql}{query.limit + 1:d}", *filters.arguments)
    return page_of(rows, query.limit, lambda row: (row["sorted"], row["id"]), reply_view)


async def get(db: Database | UnitOfWork, caller: Caller, reply_id: UUID) -> Row:
    """Return a canned reply that `caller` has. Raises NotFound."""
    row = await db.fetch_row(ONE, reply_id, caller.user_id)
    if row is None:
        raise NotFound("quick_reply_not_found", "There is no such canned reply among yours and everybody's.")
    return row


async def create(uow: UnitOfWork, caller: Caller, body: QuickReplyIn) -> Row:
    """Make a canned reply. Raises PermissionDenied (a shared one), Invalid (an API key's own), Conflict."""
    if body.shared:
        require_keeper(caller)
    elif caller.user_id is None:
        problem = FieldError("shared", "an API key has no canned replies of its own; set it to true")
        raise Invalid("invalid_request", "Make it everybody's; see errors.", errors=[problem])
    owner = None if body.shared else caller.user_id
    return await _write(
        uow, INSERT, new_id(), owner, body.shortcut, body.title, body.text, _searched(body.model_dump())
    )


async def change(uow: UnitOfWork, caller: Caller, reply_id: UUID, changes: Mapping[str, Any]) -> Row:
    """Change what `changes` holds. Raises NotFound, PermissionDenied and Conflict."""
    new = {**await _keep(uow, caller, reply_id), **changes}
    return await _write(uow, UPDATE, reply_id, new["shortcut"], new["title"], new["text"], _searched(new))


async def remove(uow: UnitOfWork, caller: Caller, reply_id: UUID) -> Row:
    """Delete a canned reply and return what it was. Raises NotFound and PermissionDenied."""
    row = await _keep(uow, caller, reply_id)
    await uow.execute("DELETE FROM quick_replies WHERE id = $1", reply_id)
    return row


async def render(kernel: Kernel, caller: Caller, reply: Row, view: Mapping[str, Any]) -> Filled:
    """Fill the places of a reply in for the conversation that `view` shows, as `caller` would send it."""
    contact = await kernel.db.fetch_row(CONTACT, UUID(view["contact"]["id"]))
    assert contact is not None
    custom: Mapping[str, Any] = orjson.loads(contact["custom"])
    name = view["contact"]["name"] or ""
    values = {
        "contact.name": name,
        "contact.firstName": first_name(name),
        "contact.phone": view["contact"]["phone"] or "",
        "contact.email": contact["email"] or "",
        "operator.name": caller.name,
        "operator.firstName": first_name(caller.name),
        "serviceInstance.name": view["serviceInstance"]["name"],
        **{
            f"contact.custom.{key}": str(value) for key, value in custom.items() if isinstance(value, str | int | float)
        },
    }
    return fill(reply["text"], values)


def require_keeper(caller: Caller) -> None:
    """Raise PermissionDenied unless `caller` keeps what is everybody's."""
    if not caller.sees_all:
        raise PermissionDenied("forbidden", "Everybody's canned replies are kept by supervisors. Make one of your own.")


async def _keep(uow: UnitOfWork, caller: Caller, reply_id: UUID) -> Row:
    row = await get(uow, caller, reply_id)
    if row["owner_id"] is None:
        require_keeper(caller)
    return row


async def _write(uow: UnitOfWork, sql: str, *values: Any) -> Row:
    try:
        row = await uow.fetch_row(sql, *values)
    except asyncpg.UniqueViolationError:
        problem = FieldError("shortcut", "is taken")
        raise Conflict("shortcut_taken", "There is a canned reply with this shortcut.", errors=[problem]) from None
    assert row is not None
    return row


def _searched(reply: Mapping[str, Any]) -> str:
    return plain(" ".join((reply["shortcut"], reply["title"], reply["text"])))
