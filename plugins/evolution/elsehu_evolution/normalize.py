"""From a webhook's body to Elsehu's events. Pure, and it never raises for what a body can hold."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from elsehu.plugin import Accepted, Broken, Event, Instance, Item, Normalized

from . import instance_events, messages, updates
from .cleaning import clean, clean_body
from .flavours import Unreadable, mapping, text
from .parts import Part

Reader = Callable[[Part], Iterator[Event]]

READERS: Mapping[str, Reader] = {
    "messages.upsert": messages.upserted,
    "send.message": messages.sent,
    "messages.update": updates.updated,
    "messages.delete": updates.deleted,
    "messages.edited": updates.edited,
    "send.message.update": updates.edited,
    "presence.update": instance_events.typing,
    "call": instance_events.called,
    "connection.update": instance_events.connection_updated,
    "qrcode.updated": instance_events.code_shown,
    "status.instance": instance_events.session_closed,
    "logout.instance": instance_events.logged_out,
    "remove.instance": instance_events.removed,
    "instance.delete": instance_events.removed,
}
"""Events that say something to us. The others, known or not, stay in `raw` only (`messages.set`, the history of
a freshly linked phone, among them: the server keeps it, and it must not open conversations)."""

WITHOUT_DATA = frozenset({"logout.instance", "remove.instance"})


def normalize(accepted: Accepted, now: Callable[[], datetime]) -> Normalized:
    """Return what an authenticated body says, and the body without what must not be kept.

    `now` dates the one thing that expires, a QR code. The same body, or its `raw`, gives the same items;
    only bytes and codes are not in `raw`, so that a replay refers to files instead of holding them.
    """
    body = accepted.payload
    if type(body) is not dict:
        return _no_object(accepted)
    raw = clean_body(body)
    event = text(raw.get("event")) or ""
    reader = READERS.get(event)
    if reader is None or not accepted.instances:
        return Normalized(raw=raw, event_name=event[:80])
    items: list[Item] = []
    broken: list[Broken] = []
    for part in _parts(event, raw, body, accepted.instances[0], now):
        read_part(reader, part, items, broken)
    return Normalized(items, broken, raw, event)


def read_part(reader: Reader, part: Part, items: list[Item], broken: list[Broken]) -> None:
    """Read one part of an event; what cannot be understood although it should is kept as broken."""
    kept = mapping(part.data)
    try:
        items.extend([Item(part.instance.id, event, kept) for event in reader(part)])
    except Unreadable as error:
        broken.append(Broken(str(error), part.data, part.instance.id))


def _parts(
    event: str, raw: dict[str, Any], body: dict[str, Any], instance: Instance, now: Callable[[], datetime]
) -> Iterator[Part]:
    data, original = raw.get("data"), body.get("data")
    own, date_time = text(raw.get("sender")), raw.get("date_time")
    if type(data) is not list:
        if data is not None or event in WITHOUT_DATA:
            yield Part(instance, data, now, mapping(original), own, date_time)
        return
    for one, its_original in zip(data, original or (), strict=True):
        yield Part(instance, one, now, mapping(its_original), own, date_time)


def _no_object(accepted: Accepted) -> Normalized:
    """Keep a body that is no JSON object where somebody sees it."""
    instance_id = accepted.instances[0].id if accepted.instances else None
    raw = clean(accepted.payload)
    return Normalized(broken=[Broken("The body is not a JSON object.", raw, instance_id)], raw=raw)
