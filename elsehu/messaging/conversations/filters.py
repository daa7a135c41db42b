"""Filters of lists: conditions are written here, what callers give only ever becomes an argument."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from elsehu.messaging.contacts.search import plain
from elsehu.phones import canonical, digits_of, parse_phone

MOST_WORDS = 8
TRIGRAM = 3
_LIKE_SIGNS = re.compile(r"([\\%_])")
_LOOKS_LIKE_PHONE = re.compile(r"[+(]?[\d\s().+/-]*\d[\d\s().+/-]*")


@dataclass(slots=True)
class Filters:
    """Conditions that must all hold, and the arguments that they refer to."""

    conditions: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def argument(self, value: Any) -> str:
        """Add an argument and return its placeholder."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition; each `{}` in it becomes the placeholder of one of `values`."""
        self.conditions.append(condition.format(*(self.argument(value) for value in values)))

    def add_search(self, column: str, text: str, default_region: str) -> None:
        """Add that `column` (a contact's search text) holds what a person typed: all the words, or the phone."""
        if _LOOKS_LIKE_PHONE.fullmatch(text):
            self._add_any(column, [p for digits in sorted(_spellings(text, default_region)) for p in _patterns(digits)])
            return
        self.add_words(column, text)

    def add_words(self, column: str, text: str) -> None:
        """Add that `column` (without accents or case) holds all the words of a text, beyond the first few none."""
        for word in plain(text).split()[:MOST_WORDS]:
            self._add_any(column, _patterns(word))

    def _add_any(self, column: str, patterns: Sequence[str]) -> None:
        self.add("(" + " OR ".join([f"{column} LIKE {{}}"] * len(patterns)) + ")", *patterns)

    def where(self) -> str:
        """Return the conditions as SQL."""
        return " AND ".join(self.conditions) or "TRUE"


def _spellings(text: str, default_region: str) -> set[str]:
    """Return the digits that a phone, or a part of one, may be stored under."""
    digits = digits_of(text)
    whole = parse_phone(text, default_region)
    return {digits, canonical(digits), whole or digits}


def _patterns(text: str) -> list[str]:
    """Return what finds `text` anywhere; where it is too short for the trigram index, at the beginning of words."""
    escaped = _LIKE_SIGNS.sub(r"\\\1", text)
    return [f"%{escaped}%"] if len(text) >= TRIGRAM else [f"{escaped}%", f"% {escaped}%"]
