"""From a webhook's body to Elsehu's events. Pure, and it never raises for what a body can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import Accepted, Broken, Instance, Item, Normalized

from .cleaning import clean
from .fields import ACCOUNT_FIELDS, NUMBER_FIELDS, SHOWN_NUMBER_FIELDS
from .flavours import Json, Unreadable, listed, mapping, moment, text
from .parts import Reader, Routes, Value

OBJECT = "whatsapp_business_account"
LONGEST_NAME = 80


def normalize(accepted: Accepted) -> Normalized:
    """Return what an authenticated body says, and the body without what must not be kept.

    The same body, or its `raw`, gives the same items; only the addresses of files are not in `raw`, so that after a
    replay Meta is asked for them.
    """
    urls: dict[str, str] = {}
    raw = clean(accepted.payload, urls)
    if type(raw) is not dict:
        return Normalized(broken=[Broken("The body is not a JSON object.", raw)], raw=raw)
    if raw.get("object") != OBJECT:
        return Normalized(raw=raw, event_name=(text(raw.get("object")) or "")[:LONGEST_NAME])
    reading = Reading(accepted.instances, urls)
    for entry in listed(raw, "entry"):
        reading.entry(entry)
    return Normalized(reading.items, reading.broken, raw, ",".join(sorted(reading.names))[:LONGEST_NAME])


class Reading:
    """What one body has said so far. Each part stands alone: one that cannot be read costs only itself."""

    def __init__(self, instances: Sequence[Instance], urls: Mapping[str, str]) -> None:
        self.items: list[Item] = []
        self.broken: list[Broken] = []
        self.names: set[str] = set()
        self._routes = Routes(instances)
        self._urls = urls

    def entry(self, part: Any) -> None:
        """Read the changes of one account."""
        if type(part) is not dict:
            self.broken.append(Broken("an entry that is no object", part))
            return
        for change in listed(part, "changes"):
            self._change(part, change)

    def _change(self, entry: Json, part: Any) -> None:
        field, data = text(mapping(part).get("field")), mapping(mapping(part).get("value"))
        if field is None:
            self.broken.append(Broken("a change without a field", part))
            return
        self.names.add("statuses" if field == "messages" and "statuses" in data else field)
        if field in NUMBER_FIELDS:
            self._number(entry, field, data)
        elif field in ACCOUNT_FIELDS:
            account = mapping(data.get("waba_info")).get("waba_id") or entry.get("id")
            self._each(self._routes.account(account), entry, ACCOUNT_FIELDS[field], data)
        elif field in SHOWN_NUMBER_FIELDS:
            shown = self._routes.shown(entry.get("id"), data.get("display_phone_number"))
            self._each(shown, entry, SHOWN_NUMBER_FIELDS[field], data)

    def _number(self, entry: Json, field: str, data: Json) -> None:
        """Read what concerns one number; one that is not ours, or of another account, is none of our business."""
        number_id = mapping(data.get("metadata")).get("phone_number_id")
        if number_id is None:
            self.broken.append(Broken(f"{field} without the id of a number", data))
            return
        instance = self._routes.number(entry.get("id"), number_id)
        if instance is None:
            return
        value = Value(instance, data, self._urls)
        for reader, part in NUMBER_FIELDS[field](data):
            self._read(value, reader, part)

    def _each(self, instances: Sequence[Instance], entry: Json, reader: Reader, data: Json) -> None:
        for instance in instances:
            self._read(Value(instance, data, self._urls, moment(entry.get("time"))), reader, data)

    def _read(self, value: Value, reader: Reader, part: Any) -> None:
        try:
            self.items.extend([Item(value.instance.id, event, mapping(part)) for event in reader(value, part)])
        except Unreadable as error:
            self.broken.append(Broken(str(error), part, value.instance.id))
