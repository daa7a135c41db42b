"""Places in a canned reply: `{{contact.name}}`, filled in with what is known of a conversation. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
KNOWN = (
    "contact.name",
    "contact.firstName",
    "contact.phone",
    "contact.email",
    "operator.name",
    "operator.firstName",
    "serviceInstance.name",
)
OWN_FIELD = re.compile(r"contact\.custom\.[^{}\s]{1,60}")
"""A field of the contact's own, by its key."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A reply with its places filled in; `missing` are those for which nothing is known: they are left empty."""

    text: str
    missing: tuple[str, ...]


def places_in(text: str) -> list[str]:
    """Return the places in a text, each once."""
    return list(dict.fromkeys(PLACE.findall(text)))


def unknown_in(text: str) -> list[str]:
    """Return the places in a text that nothing can fill in."""
    return [place for place in places_in(text) if place not in KNOWN and not OWN_FIELD.fullmatch(place)]


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Fill the places of a text in. What stands in a value is never a place itself."""
    missing = tuple(place for place in places_in(text) if not values.get(place))
    return Filled(PLACE.sub(lambda match: values.get(match[1], ""), text), missing)


def first_name(name: str) -> str:
    """Return the first word of a name."""
    return name.strip().partition(" ")[0]
