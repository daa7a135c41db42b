"""One part of a webhook, with what its reader may need beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from elsehu.plugin import Instance

from .flavours import Json, mapping, text

LONGEST_ID = 256


@dataclass(slots=True)
class Part:
    """One element of an event's `data`.

    `data` is cleaned and all that readers look at; `original` is asked only for what is never kept: inline
    files and QR codes. `own` is our own JID. `date_time` is when the server sent it, by its own wrong clock.
    `now` is for the one event that needs it, a QR code's expiry.
    """

    instance: Instance
    data: Any
    now: Callable[[], datetime]
    original: Json = field(default_factory=dict)
    own: str | None = None
    date_time: Any = None
    is_history: bool = False


def id_of(key: Json) -> str | None:
    """Return WhatsApp's id of a message from its key (or anything that has it as `id`)."""
    found = text(key.get("id"))
    return found if found and len(found) <= LONGEST_ID else None


def key_of(data: Json) -> Json:
    """Return the key in an event's data, which may be the key itself."""
    key = mapping(data.get("key"))
    return key or data
