"""What the columns of a table mean: by their headings in Portuguese or English, else by what is in them."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum


class Meaning(StrEnum):
    """What a column says of a person."""

    PHONE = "phone"
    NAME = "name"
    EMAIL = "email"
    TAGS = "tags"


WORDS: Mapping[Meaning, Sequence[str]] = {
    Meaning.PHONE: (
        "whatsapp", "whats app", "whats", "wpp", "zap", "celular", "cel", "movel", "mobile phone", "mobile",
        "cell phone", "cellphone", "cell", "telefone", "fone", "tel", "phone number", "phone", "telephone", "msisdn",
        "numero", "number", "contato", "telefono",
    ),
    Meaning.NAME: (
        "nome completo", "full name", "nome", "name", "cliente", "customer", "contact name", "contact",
        "primeiro nome", "first name", "razao social", "nombre",
    ),
    Meaning.EMAIL: ("e mail", "email", "email address", "mail", "correio eletronico", "correo"),
    Meaning.TAGS: ("etiquetas", "etiqueta", "tags", "tag", "labels", "label", "marcadores", "marcador", "grupos"),
}  # fmt: skip
"""Headings without accents, case or signs, the most telling first."""

AMBIGUOUS = frozenset({"contato", "contact", "numero", "number", "cliente", "customer"})
"""Headings that are believed only if what is below them is like it."""

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PHONE = re.compile(r"\s*\+?[\d\s().\-/]{8,30}\Z")
_EMAIL = re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*\Z")
_NAME = re.compile(r"\s*[^\W\d_]{2,}(?:['’. -]+[^\W\d_]+)*[. ]*\Z")
MOST = 0.6
"""Which part of a column's cells must look like it."""


def guess_columns(columns: Sequence[str], sample: Sequence[Sequence[str]] = ()) -> dict[Meaning, str]:
    """Return which column is what, as far as can be told; no column is two things.

    `sample` are the cells of some rows. They tell where no heading does, or one that may mean several things: a column
    called `Contato` that holds names is no phone.
    """
    cells = {name: [row[place] for row in sample if row[place : place + 1]] for place, name in enumerate(columns)}
    guessed: dict[Meaning, str] = {}
    for guess in (_by_heading, _by_content):
        for meaning in Meaning:
            free = [name for name in columns if name not in guessed.values()]
            if meaning not in guessed and (found := guess(meaning, free, cells)) is not None:
                guessed[meaning] = found
    return guessed


def looks_like_phone(cell: str) -> bool:
    """Tell whether a cell may hold a phone number: 8 to 15 digits, and signs that people write between them."""
    return _PHONE.match(cell) is not None and 8 <= sum(map(str.isdecimal, cell)) <= 15 and not _is_date(cell)


_LOOKS_LIKE: Mapping[Meaning, Callable[[str], bool]] = {
    Meaning.PHONE: looks_like_phone,
    Meaning.EMAIL: lambda cell: _EMAIL.match(cell) is not None,
    Meaning.NAME: lambda cell: _NAME.match(cell) is not None,
}


def _by_heading(meaning: Meaning, columns: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str | None:
    ranks = {name: rank for name in columns if (rank := _rank(meaning, name)) is not None}
    believed = [name for name in ranks if _is_plain(meaning, name) or _may_be(meaning, cells[name])]
    return min(believed, key=lambda name: ranks[name], default=None)


def _rank(meaning: Meaning, heading: str) -> tuple[bool, int] | None:
    """Return how telling a heading is (less is more): what is exactly one of the words, before what holds one."""
    words = plain_words(heading)
    for rank, wanted in enumerate(WORDS[meaning]):
        if words == wanted:
            return (False, rank)
    padded = f" {words} "
    return next(((True, rank) for rank, wanted in enumerate(WORDS[meaning]) if f" {wanted} " in padded), None)


def _is_plain(meaning: Meaning, heading: str) -> bool:
    words = plain_words(heading)
    return words in WORDS[meaning] and words not in AMBIGUOUS


def plain_words(heading: str) -> str:
    """Return a heading's words without accents, case and signs: `E-mail_Pessoal` is `e mail pessoal`."""
    decomposed = unicodedata.normalize("NFKD", _CAMEL.sub(" ", heading))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
    return " ".join(_WORD.findall(plain.replace("_", " ")))


def _may_be(meaning: Meaning, cells: Sequence[str]) -> bool:
    """Tell whether the cells do not speak against it: a phone has digits, an e-mail an `@`, a name is no number."""
    filled = [cell for cell in cells if cell.strip()]
    match meaning:
        case Meaning.PHONE:
            return not filled or _share(filled, lambda cell: any(map(str.isdecimal, cell))) >= MOST
        case Meaning.EMAIL:
            return not filled or _share(filled, lambda cell: "@" in cell) >= MOST
        case Meaning.NAME:
            return not filled or _share(filled, lambda cell: any(map(str.isalpha, cell)) and "@" not in cell) >= MOST
        case Meaning.TAGS:
            return True


def _by_content(meaning: Meaning, columns: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str | None:
    looks_like = _LOOKS_LIKE.get(meaning)
    if looks_like is None:
        return None
    filled = {name: [cell for cell in cells[name] if cell.strip()] for name in columns}
    shares = {name: _share(those, looks_like) for name, those in filled.items() if those}
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= MOST else None


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, cells)) / len(cells)


def _is_date(cell: str) -> bool:
    return re.match(r"\s*(\d{4}-\d\d-\d\d|\d\d?/\d\d?/\d{2,4})", cell) is not None
