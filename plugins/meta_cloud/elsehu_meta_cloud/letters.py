"""A message half read: what all types have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from elsehu.plugin import Identity, Status

from .flavours import Json, Unreadable, id_of, moment, text
from .identities import group
from .parts import Value


@dataclass(slots=True)
class Letter:
    """A message, whose it is, and who wrote it (`people`) or is written to."""

    value: Value
    message: Json
    external_id: str
    at: datetime
    card: Json
    people: Sequence[Identity]
    in_group: bool = False
    is_ours: bool = False
    through_api: bool = False
    is_history: bool = False
    status: Status | None = None

    @property
    def chat(self) -> Sequence[Identity]:
        """The addresses of the customer, or of the group. Raises Unreadable where there is none."""
        found = group(self.message.get("group_id")) if self.in_group else None
        side = self.people if not self.in_group else (found,) if found else ()
        if not side:
            raise Unreadable("a message without an address that could be read")
        return side


def letter_of(value: Value, message: Json, card: Json, people: Sequence[Identity]) -> Letter:
    """Return what every message has. Raises Unreadable where one has no id or no time."""
    external_id, at = id_of(message.get("id")), moment(message.get("timestamp"))
    if external_id is None:
        raise Unreadable("a message without an id")
    if at is None:
        raise Unreadable("a message without a time")
    return Letter(value, message, external_id, at, card, people, in_group=text(message.get("group_id")) is not None)
