"""A row of a file as a contact, or what is wrong with it."""

import re
from collections.abc import Sequence
from functools import lru_cache

import orjson
from email_validator import EmailNotValidError, validate_email

from elsehu.messaging.contacts.bulk import ContactRow
from elsehu.messaging.contacts.importing.schemas import ColumnMapping
from elsehu.messaging.schemas import LONGEST_JSON
from elsehu.phones import parse_phone

LONGEST_NAME = 200
LONGEST_TAG = 60
MOST_TAGS = 50
LONGEST_SHOWN = 60
_BETWEEN_TAGS = re.compile(r"[,;|\r\n]+")
_PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*")
LONGEST_LOCAL_PART = 64


class WrongRow(Exception):
    """A row that is not taken; the text tells its owner why."""


class RowReader:
    """Reads rows by a mapping in which nothing is left to be guessed."""

    def __init__(self, columns: Sequence[str], mapping: ColumnMapping, region: str) -> None:
        places = {name: place for place, name in enumerate(columns)}
        assert mapping.phone is not None
        self._width = len(columns)
        self._region = region
        self._phone_column = mapping.phone
        self._phone = places[mapping.phone]
        self._name, self._email, self._tags = (
            None if column is None else places[column] for column in (mapping.name, mapping.email, mapping.tags)
        )
        self._custom = [(name, places[column]) for name, column in (mapping.custom or {}).items()]

    def read(self, cells: Sequence[str]) -> ContactRow:
        """Return the contact of a row. Raises WrongRow."""
        if len(cells) > self._width:
            raise WrongRow(
                "has more cells than there are headings; give each column one, and put quotation marks around a cell "
                "that holds the character between cells"
            )
        return ContactRow(
            self._phone_of(cells[self._phone].strip()),
            "" if self._name is None else name_of(cells[self._name]),
            None if self._email is None else email_of(cells[self._email].strip()),
            () if self._tags is None else tags_of(cells[self._tags]),
            _bounded({name: value for name, place in self._custom if (value := cells[place].strip())}),
        )

    def _phone_of(self, written: str) -> str:
        if not written:
            raise WrongRow(f"has no phone number in the column {self._phone_column}")
        phone = parse_phone(written, self._region)
        if phone is None:
            raise WrongRow(f"{_shown(written)} is no phone number; write it with its country code, as +5511999990000")
        return phone


def name_of(written: str) -> str:
    """Return a name without needless spaces. Raises WrongRow."""
    name = " ".join(written.split())
    if len(name) > LONGEST_NAME:
        raise WrongRow(f"the name has more than {LONGEST_NAME} characters")
    return name


def email_of(written: str) -> str | None:
    """Return an e-mail address as the API takes it, None for an empty one. Raises WrongRow."""
    if not written:
        return None
    try:
        local_part, _, domain = written.rpartition("@")
        if len(local_part) <= LONGEST_LOCAL_PART and _PLAIN_LOCAL_PART.fullmatch(local_part):
            return f"{local_part}@{_domain(domain)}"
        return validate_email(written, check_deliverability=False).normalized
    except EmailNotValidError:
        raise WrongRow(f"{_shown(written)} is no e-mail address") from None


@lru_cache(maxsize=4096)
def _domain(written: str) -> str:
    """Return a domain as it is kept; most people's are of a few. Raises EmailNotValidError."""
    return validate_email(f"a@{written}", check_deliverability=False).domain


def tags_of(written: str) -> Sequence[str]:
    """Return the tags of a cell, between which are commas, semicolons, bars or new lines. Raises WrongRow."""
    if not written:
        return ()
    tags = list(dict.fromkeys(tag for one in _BETWEEN_TAGS.split(written) if (tag := " ".join(one.split()))))
    if len(tags) > MOST_TAGS:
        raise WrongRow(f"has more than {MOST_TAGS} tags")
    if any(len(tag) > LONGEST_TAG for tag in tags):
        raise WrongRow(f"a tag has more than {LONGEST_TAG} characters")
    return tags


def _bounded(custom: dict[str, str]) -> dict[str, str]:
    if custom and len(orjson.dumps(custom)) > LONGEST_JSON:
        raise WrongRow(f"its own fields have more than {LONGEST_JSON:,} bytes together")
    return custom


def _shown(written: str) -> str:
    return repr(written if len(written) <= LONGEST_SHOWN else written[:LONGEST_SHOWN] + "…")
