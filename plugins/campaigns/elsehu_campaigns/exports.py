"""What became of a campaign, to take away: who failed (a list to upload again), who answered, everybody."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import Field

from elsehu.plugin import (
    SUPERVISORS,
    ApiModel,
    Call,
    Kernel,
    Operation,
    PageQuery,
    Row,
    decode_cursor,
    isoformat,
    page_of,
    serial,
)
from elsehu_campaigns.downloads import CsvDownload, CsvQuery, headed
from elsehu_campaigns.feeding import LAST_POSITION
from elsehu_campaigns.model import Campaign, find
from elsehu_campaigns.outcomes import OUTCOMES, STATUSES
from elsehu_campaigns.sources import sheet_of

PAGE = 500
"""Recipients that are looked at for one piece of a file. By position, not by how many are wanted of them: so that each
piece costs the same, however few those are."""

ADDED = ("Reason", "Detail")
"""What a list of failures has beside its own columns; one that is uploaded and fails again does not grow."""

OF_CONTACTS = ("Name", "Phone")
LAST = "SELECT coalesce(max(position), 0) FROM campaign_recipients WHERE campaign_id = $1"
ROWS = f"""
SELECT o.*, f.cells FROM ({OUTCOMES}) o LEFT JOIN campaign_file_rows f ON f.file_id = $5 AND f.number = o.row_number
WHERE o.campaign_id = $1 AND o.position > $2 AND o.position <= $3 AND o.status = ANY($4::text[]) ORDER BY o.position
"""  # noqa: S608 - a constant
REPLIES = f"""
SELECT o.id, o.position, o.row_number, o.contact_id, o.conversation_id, o.name, o.phone,
       r.kind AS reply_kind, r.text AS reply_text, r.at AS replied_at
FROM ({OUTCOMES}) o JOIN LATERAL (
    SELECT m.kind, m.text, m.at FROM public_messages m
    WHERE m.conversation_id = o.conversation_id AND m.direction = 'INBOUND' AND m.at >= date_trunc('second', o.sent_at)
    ORDER BY m.at, m.seq LIMIT 1) r ON TRUE
WHERE o.campaign_id = $1 AND o.position > $2 AND o.position <= $3 AND o.status = 'replied' ORDER BY o.position LIMIT $4
"""  # noqa: S608 - a constant
RECIPIENT_COLUMNS = (
    ("Row", "row_number"),
    ("Name", "name"),
    ("Phone", "phone"),
    ("Status", "status"),
    ("Reason", "reason"),
    ("Detail", "detail"),
    ("Sent at", "sent_at"),
    ("Delivered at", "delivered_at"),
    ("Read at", "read_at"),
    ("Replied at", "replied_at"),
    ("Text", "text"),
)
REPLY_COLUMNS = (
    ("Row", "row_number"),
    ("Name", "name"),
    ("Phone", "phone"),
    ("Replied at", "replied_at"),
    ("Kind", "reply_kind"),
    ("Reply", "reply_text"),
    ("Conversation", "conversation_id"),
)

Statuses = Annotated[str, Field(pattern=f"^({'|'.join(STATUSES)})(,({'|'.join(STATUSES)}))*$")]


class FailuresQuery(CsvQuery):
    """`?status=`: of which recipients, parted by commas. Of `unconfirmed` ones nobody knows: they may have got it."""

    status: Statuses = "failed"


class RecipientsQuery(CsvQuery):
    """`?status=`: of which recipients, parted by commas (default: all)."""

    status: Statuses | None = None


class Reply(ApiModel):
    """The first answer of a recipient; a file or a place has no text, or its caption."""

    recipient_id: UUID
    row_number: int | None
    contact_id: UUID | None
    conversation_id: UUID
    name: str
    phone: str
    kind: str
    text: str | None
    at: datetime


class ReplyPage(ApiModel):
    """One page of answers, in the order of the campaign's recipients."""

    items: list[Reply]
    next_cursor: str | None


Read = Callable[[int, int], Awaitable[Sequence[Row]]]


async def _pages(
    kernel: Kernel, campaign: Campaign, read: Read, shown: Callable[[Row], Sequence[str]]
) -> AsyncIterator[Sequence[Sequence[str]]]:
    """Yield all rows, piece by piece; `read` gives those after a position, up to another."""
    last = await kernel.db.fetch_value(LAST, campaign.id)
    for after in range(0, last, PAGE):
        yield [shown(row) for row in await read(after, after + PAGE)]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return isoformat(value) if isinstance(value, datetime) else str(value)


async def _found(call: Call[None, Any]) -> Campaign:
    async with call.kernel.db.reader() as uow:
        return await find(uow, call.path_id())


def _rows_of(kernel: Kernel, campaign: Campaign, statuses: Sequence[str]) -> Read:
    return lambda after, until: kernel.db.fetch(ROWS, campaign.id, after, until, list(statuses), campaign.file_id)


async def failures(call: Call[None, FailuresQuery]) -> CsvDownload:
    """Hand out those that failed as a list like the one that was uploaded."""
    async with call.kernel.db.reader() as uow:
        campaign = await find(uow, call.path_id())
        columns = list((await sheet_of(uow, campaign.file_id)).columns) or list(OF_CONTACTS)
    own = columns[: -len(ADDED)] if tuple(columns[-len(ADDED) :]) == ADDED else columns

    def shown(row: Row) -> Sequence[str]:
        cells = orjson.loads(row["cells"]) if row["cells"] else [row["name"], row["phone"]]
        return [*cells[: len(own)], _text(row["reason"]), _text(row["detail"])]

    read = _rows_of(call.kernel, campaign, call.query.status.split(","))
    pages = _pages(call.kernel, campaign, read, shown)
    return CsvDownload("failures.csv", headed(own, *ADDED), pages, call.query)


async def recipients(call: Call[None, RecipientsQuery]) -> CsvDownload:
    """Hand out all recipients and what became of them."""
    campaign = await _found(call)
    wanted = call.query.status.split(",") if call.query.status else STATUSES
    read = _rows_of(call.kernel, campaign, wanted)
    pages = _pages(call.kernel, campaign, read, _columns(RECIPIENT_COLUMNS))
    return CsvDownload("recipients.csv", [name for name, _ in RECIPIENT_COLUMNS], pages, call.query)


async def replies(call: Call[None, PageQuery]) -> dict[str, Any]:
    """List who answered, and what first."""
    query, campaign = call.query, await _found(call)
    [after] = decode_cursor(query.cursor, [serial]) if query.cursor else [0]
    rows = await call.kernel.db.fetch(REPLIES, campaign.id, after, LAST_POSITION, query.limit + 1)
    return page_of(rows, query.limit, lambda row: [row["position"]], _reply)


def _reply(row: Row) -> dict[str, Any]:
    return {
        "recipientId": str(row["id"]),
        "rowNumber": row["row_number"],
        "contactId": row["contact_id"] and str(row["contact_id"]),
        "conversationId": str(row["conversation_id"]),
        "name": row["name"],
        "phone": row["phone"],
        "kind": row["reply_kind"],
        "text": row["reply_text"],
        "at": isoformat(row["replied_at"]),
    }


async def replies_csv(call: Call[None, CsvQuery]) -> CsvDownload:
    """Hand out who answered, and what first."""
    campaign, db = await _found(call), call.kernel.db
    pages = _pages(
        call.kernel,
        campaign,
        lambda after, until: db.fetch(REPLIES, campaign.id, after, until, PAGE),
        _columns(REPLY_COLUMNS),
    )
    return CsvDownload("replies.csv", [name for name, _ in REPLY_COLUMNS], pages, call.query)


def _columns(columns: Sequence[tuple[str, str]]) -> Callable[[Row], Sequence[str]]:
    return lambda row: [_text(row[name]) for _, name in columns]


def _csv(path: str, handler: Callable[..., Any], summary: str, query: type[CsvQuery]) -> Operation:
    return Operation(
        "GET",
        f"/api/campaigns/{{id}}/{path}",
        handler,
        summary,
        "campaigns",
        SUPERVISORS,
        query=query,
        refusals=(404,),
        answer_media_type="text/csv",
    )


OPERATIONS: Sequence[Operation] = (
    _csv("failures.csv", failures, "Those that failed, as a list that can be uploaded again", FailuresQuery),
    _csv("recipients.csv", recipients, "All recipients, and what became of each", RecipientsQuery),
    _csv("replies.csv", replies_csv, "Who answered, and what first", CsvQuery),
    Operation(
        "GET",
        "/api/campaigns/{id}/replies",
        replies,
        "Who answered, and what first",
        "campaigns",
        SUPERVISORS,
        query=PageQuery,
        answer=ReplyPage,
        refusals=(404,),
    ),
)
