"""`/api/audit`: who did what, when, from where."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from elsehu.http.operations import ADMINS, Call, Operation
from elsehu.http.pages import decode_cursor, page_of, serial
from elsehu.http.schemas import NO_NUL, ApiModel, Moment, PageQuery
from elsehu.identity.audit_reading import Asked, entries, entry_view


class AuditQuery(PageQuery):
    """Filters of the audit log. `subject` is a kind and an id, such as `user:<id>`; `from` is included, `to` is not."""

    actor_id: UUID | None = None
    action: Annotated[str | None, Field(pattern=r"^[a-z_]{1,60}$", examples=["login_failed"])] = None
    subject: Annotated[str | None, Field(max_length=120, pattern=NO_NUL)] = None
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None


class Actor(ApiModel):
    """Who it was: a user or an API key (`id`), the command line, or somebody who was not logged in (no id)."""

    id: UUID | None
    name: str


class AuditEntryAnswer(ApiModel):
    """One thing that was done."""

    id: int
    at: Moment
    actor: Actor
    action: str
    subject: str
    details: dict[str, Any]
    address: str
    request_id: str


class AuditPage(ApiModel):
    """Entries, newest first."""

    items: list[AuditEntryAnswer]
    next_cursor: str | None


async def list_entries(call: Call[None, AuditQuery]) -> dict[str, Any]:
    """Show a page of the audit log."""
    query = call.query
    before = decode_cursor(query.cursor, [serial])[0] if query.cursor else None
    asked = Asked(query.actor_id, query.action, query.subject, query.from_, query.to)
    rows = await entries(call.kernel.db, asked, before, query.limit + 1)
    return page_of(rows, query.limit, lambda row: [row["id"]], entry_view)


OPERATIONS = (
    Operation(
        "GET",
        "/api/audit",
        list_entries,
        "Who did what, when, from where: newest first. Entries are never changed.",
        "audit",
        roles=ADMINS,
        query=AuditQuery,
        answer=AuditPage,
    ),
)
