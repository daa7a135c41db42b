"""`GET /api/events`: the outbox itself, for admins and their scripts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from elsehu.clock import isoformat
from elsehu.contracts.errors import Gone
from elsehu.db import UnitOfWork
from elsehu.events import Event, reading
from elsehu.events.cursors import Cursor, read_cursor
from elsehu.events.positions import BEGINNING, Position
from elsehu.http.operations import ADMINS, Call, Operation
from elsehu.http.schemas import ApiModel, PageQuery


class EventOut(ApiModel):
    """An event by reference: what happened to what, and when."""

    event_id: str
    type: str
    subject_id: str | None
    conversation_id: str | None
    data: dict[str, Any] | None
    at: datetime


class EventPage(ApiModel):
    """Events in the order of commit, and the cursor to ask for what comes after: it never runs out."""

    items: list[EventOut]
    next_cursor: str


async def list_events(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Return what was committed since the cursor; without one, everything that is kept."""
    async with call.kernel.db.reader() as uow:
        life = await reading.database_life(uow)
        position = await _position(call, uow, life)
        events, after = await reading.read_since(uow, position, call.query.limit)
    cursor = Cursor(after, call.kernel.now(), life)
    return {"items": [event_view(event) for event in events], "nextCursor": cursor.encode()}


async def _position(call: Call[None, PageQuery], uow: UnitOfWork, life: str) -> Position:
    if call.query.cursor is None:
        return BEGINNING
    cursor = read_cursor(call.query.cursor)
    kept_since = call.kernel.now() - timedelta(hours=call.kernel.settings.realtime.resume_hours)
    if cursor.life != life or cursor.at < kept_since or not await reading.is_possible(uow, cursor.position):
        raise Gone("cursor_expired", "Events since this cursor are not kept any more. Start again without a cursor.")
    return cursor.position


def event_view(event: Event) -> dict[str, Any]:
    """Return an event as this list shows it."""
    return {
        "eventId": str(event.seq),
        "type": event.type,
        "subjectId": event.subject_id and str(event.subject_id),
        "conversationId": event.conversation_id and str(event.conversation_id),
        "data": event.data,
        "at": isoformat(event.at),
    }


OPERATIONS: Sequence[Operation] = (
    Operation(
        "GET",
        "/api/events",
        list_events,
        "Read the outbox",
        "events",
        roles=ADMINS,
        query=PageQuery,
        answer=EventPage,
        refusals=(410, 422),
    ),
)
