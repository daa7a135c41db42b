"""What no database takes, made such that it does: looked at only once it was refused, so it costs nothing else.

A plugin should give texts that can be kept. Where one does not (a NUL, half a character, an id longer than any
provider's), a customer's message is worth more than the character that spoils it.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.contracts.inbound import Item

LONGEST_TEXTS = {"author_name": 200, "sender_username": 200, "error_code": 60, "provider_code": 60, "emoji": 40}
LONGEST_IDS = {"external_id": 256, "reply_to": 256, "value": 200, "address": 200, "scope": 60}
"""In characters, by the names of the fields in `contracts`: the lengths of their columns."""
DIGEST = 32


def mended(item: Item) -> Item:
    """Return `item` with every text of its event such that it can be kept; an item without fault as it is."""
    event = _mended("", item.event)
    return item if event == item.event else dataclasses.replace(item, event=event)


def _mended(name: str, value: Any) -> Any:
    if type(value) is str:
        return _fitting(name, _storable(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{key: _mended(key, one) for key, one in fields.items()})
    if isinstance(value, Mapping):
        return {_mended("", key): _mended("", one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_mended("", one) for one in value]
    return value


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _fitting(name: str, text: str) -> str:
    """Cut a text; shorten an id so that different ones stay different."""
    longest = LONGEST_IDS.get(name)
    if longest is None:
        return text[: LONGEST_TEXTS.get(name)]
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST]
    return f"{text[: longest - DIGEST - 1]}~{digest}"
