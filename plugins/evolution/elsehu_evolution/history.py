"""What was missed: the server's own store, asked by time (Evolution API reference, section 5)."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from elsehu.plugin import (
    Direction,
    Event,
    Instance,
    Item,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    PluginContext,
    Status,
    isoformat,
)

from .cleaning import clean
from .client import Server, server_of
from .flavours import Json, Unreadable, mapping, moment, text
from .identities import concerns_us
from .messages import arrived
from .parts import Part, id_of
from .states import furthest
from .updates import status_changed

SPAN = timedelta(hours=6)
"""The store answers newest first, so a span is read whole and turned around; short spans bound the memory."""

LATER_STATUSES = (Status.READ, Status.PLAYED)


async def history(
    context: PluginContext, instance: Instance, since: datetime, until: datetime
) -> AsyncIterator[Sequence[Item]]:
    """Yield what happened between `since` and `until`, oldest first. Raises ProviderError while iterated."""
    server = server_of(context, instance)
    seen: set[str] = set()
    start = since
    while start <= until:
        end = min(start + SPAN, until)
        rows = await _rows(server, start, end, seen)
        items = [item for row in rows for item in _items(context, instance, row)]
        if items:
            yield items
        start = end + timedelta(microseconds=1)


async def _rows(server: Server, since: datetime, until: datetime, seen: set[str]) -> list[Json]:
    """Return the rows of a span, each message once, oldest first.

    Both bounds are given, or Evolution would ignore them; the later one stays while pages are turned, so that
    rows which come meanwhile do not shift them. No JID: rows of LID chats are stored under the LID.
    """
    rows: list[Json] = []
    page, pages = 1, 1
    while page <= pages:
        found = mapping(await _page(server, since, until, page))
        records = found.get("records")
        if type(records) is not list or not records:
            break
        rows += [clean(row) for row in records if _is_new(row, seen)]
        pages = found["pages"] if type(found.get("pages")) is int else page
        page += 1
    return sorted(rows, key=_order)


async def _page(server: Server, since: datetime, until: datetime, page: int) -> Any:
    body = {
        "where": {"messageTimestamp": {"gte": isoformat(since), "lte": isoformat(until)}},
        "page": page,
        "offset": server.config.history_page,
    }
    return mapping(await server.ask("POST", "chat/findMessages", body)).get("messages")


def _is_new(row: Any, seen: set[str]) -> bool:
    """Whether a row is the first of its message: one that was redelivered is stored twice."""
    message_id = id_of(mapping(mapping(row).get("key")))
    if message_id is None or message_id in seen:
        return False
    seen.add(message_id)
    return True


def _order(row: Json) -> tuple[float, str]:
    """Order by WhatsApp's time and, within a second, by the server's row ids, which grow with time."""
    at = moment(row.get("messageTimestamp"))
    return (at.timestamp() if at else 0.0, text(row.get("id")) or "")


def _items(context: PluginContext, instance: Instance, row: Json) -> Iterator[Item]:
    if row.get("message") is None:
        yield from (Item(instance.id, event, row) for event in _revoked(instance, row))
        return
    part = Part(instance, row, context.now, is_history=True)
    try:
        for event in arrived(part, through_api=False):
            yield Item(instance.id, event, row)
            if isinstance(event, MessageArrived):
                yield from (Item(instance.id, later, row) for later in _later(event, row))
    except Unreadable as error:
        context.log("history_row_unreadable", instance=str(instance.id), error=str(error))


def _revoked(instance: Instance, row: Json) -> Iterator[Event]:
    """Yield the deletion of a message whose author deleted it: nothing but its key is left in the store."""
    key = mapping(row.get("key"))
    external_id = id_of(key)
    if external_id is not None and concerns_us(key.get("remoteJid"), instance):
        yield MessageDeleted(external_id)


def _later(message: MessageArrived, row: Json) -> Iterator[Event]:
    """Yield what happened to a message since: its status, its last text, its deletion.

    The list of updates has no order and no times. An edit has overwritten text and time of the row itself.
    """
    updates = row.get("MessageUpdate")
    words = [mapping(one).get("status") for one in updates] if type(updates) is list else []
    status = furthest(words)
    if status is not None and (message.direction is Direction.OUTBOUND or status in LATER_STATUSES):
        yield status_changed(message.external_id, status, {"status": status.upper()})
    if "EDITED" in words and message.text is not None:
        yield MessageEdited(message.external_id, message.text, message.at)
    if "DELETED" in words or mapping(row.get("key")).get("deleted") is True:
        yield MessageDeleted(message.external_id)
