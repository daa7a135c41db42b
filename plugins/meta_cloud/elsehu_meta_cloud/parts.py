"""The `value` of one change, with what its readers need beside it; and to whom it speaks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from elsehu.plugin import Event, Instance, canonical

from .flavours import Json
from .identities import Cards, scope_of


class Value:
    """A change's `value` and whose it is.

    `at` is the entry's own time, which only account-level changes have. `urls` are the addresses of files, by media
    id, that are never kept.
    """

    __slots__ = ("_cards", "at", "data", "instance", "scope", "urls")

    def __init__(self, instance: Instance, data: Json, urls: Mapping[str, str], at: datetime | None = None) -> None:
        self.instance = instance
        self.data = data
        self.urls = urls
        self.at = at
        self.scope = scope_of(instance)
        self._cards: Cards | None = None

    @property
    def cards(self) -> Cards:
        """The contacts beside, by their addresses."""
        if self._cards is None:
            self._cards = Cards(self.data)
        return self._cards


Reader = Callable[[Value, Any], Iterator[Event]]
"""Reads one part of a value. Raises Unreadable where it lacks what it cannot do without."""
Parts = Callable[[Json], Iterator[tuple[Reader, Any]]]
"""Takes a value apart: yields each part that stands alone, and what reads it."""


class Routes:
    """Which of the instances that the sender may speak for a change concerns (reference, section 15.7)."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = instances
        self._numbers: dict[tuple[str, str], Instance | None] = {}

    def number(self, account: Any, number_id: Any) -> Instance | None:
        """Return the instance with this phone number id in this WhatsApp account, or None."""
        key = (_text_of_id(account), _text_of_id(number_id))
        if key not in self._numbers:
            self._numbers[key] = next((one for one in self.account(key[0]) if _id(one) == key[1]), None)
        return self._numbers[key]

    def account(self, account: Any) -> list[Instance]:
        """Return the instances of a WhatsApp account."""
        name = _text_of_id(account)
        return [one for one in self._instances if name and one.credentials.get("waba_id") == name]

    def shown(self, account: Any, phone: Any) -> list[Instance]:
        """Return the instances of an account with this phone number, however it is written."""
        digits = canonical(phone) if type(phone) is str else ""
        return [one for one in self.account(account) if digits and canonical(one.phone) == digits]


def _text_of_id(value: Any) -> str:
    """Return an id as text: some webhooks carry theirs as JSON integers (reference, section 1)."""
    return str(value) if type(value) in (str, int) else ""


def _id(instance: Instance) -> Any:
    return instance.credentials.get("phone_number_id")
