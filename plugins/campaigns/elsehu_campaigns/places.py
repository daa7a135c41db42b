"""Where the values of a campaign's places come from: a column of its file, or a field of the contact. Pure.

A place that `mapping` says nothing of is filled by what is called the same: a column, or the contact's name, phone,
e-mail or own field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elsehu.plugin import to_e164

CONTACT = "contact."
CUSTOM = "contact.custom."
FIELDS = frozenset({"contact.name", "contact.phone", "contact.email"})


@dataclass(frozen=True, slots=True)
class Person:
    """What a contact's places are filled with. `phone` are canonical digits."""

    name: str
    phone: str | None
    email: str | None
    custom: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one place's value comes from: the cell with this number, or else this field of the contact."""

    column: int | None
    field: str = ""


def origin_of(place: str, mapping: Mapping[str, str], columns: Sequence[str]) -> Origin | None:
    """Return where the value of `place` comes from, or None where nothing says."""
    named = mapping.get(place)
    if named is None:
        return _called_the_same(place, columns)
    if named in columns:
        return Origin(columns.index(named))
    return Origin(None, named) if named in FIELDS or named.startswith(CUSTOM) else None


def _called_the_same(place: str, columns: Sequence[str]) -> Origin | None:
    wanted = place.casefold()
    found = [number for number, column in enumerate(columns) if column.casefold() == wanted]
    if found:
        return Origin(found[0])
    if columns:
        return None
    return Origin(None, CONTACT + wanted if CONTACT + wanted in FIELDS else CUSTOM + place)


def origins_of(places: Sequence[str], mapping: Mapping[str, str], columns: Sequence[str]) -> dict[str, Origin]:
    """Return the origins of those `places` that have one."""
    found = {place: origin_of(place, mapping, columns) for place in places}
    return {place: origin for place, origin in found.items() if origin is not None}


def values_of(origins: Mapping[str, Origin], cells: Sequence[str], person: Person | None) -> dict[str, str]:
    """Return what each place of one recipient is filled with; what is empty is left out."""
    found = {place: _value(origin, cells, person) for place, origin in origins.items()}
    return {place: value for place, value in found.items() if value}


def _value(origin: Origin, cells: Sequence[str], person: Person | None) -> str:
    if origin.column is not None:
        return cells[origin.column].strip() if origin.column < len(cells) else ""
    if person is None:
        return ""
    if origin.field.startswith(CUSTOM):
        return _text(person.custom.get(origin.field.removeprefix(CUSTOM)))
    known = {"name": person.name, "phone": to_e164(person.phone) if person.phone else None, "email": person.email}
    return known[origin.field.removeprefix(CONTACT)] or ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)
