"""Which word of a customer opts out or in again. Pure: a whole message, whatever its case, accents and punctuation."""

import unicodedata
from collections.abc import Iterable

LONGEST = 60
"""Characters of a word in the lists: who writes more wrote a sentence."""


def plain(text: str) -> str:
    """Return what is compared: the letters and digits of `text`, without accents, in lower case, with single spaces."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    kept = (one if one.isalnum() else "" if unicodedata.category(one) == "Cf" else " " for one in bare.casefold())
    return " ".join("".join(kept).split())


def wish_of(text: str | None, out: Iterable[str], back: Iterable[str]) -> bool | None:
    """Return whether a message accepts marketing by a word of `back` (True) or refuses it by one of `out`, or None."""
    if text is None or len(text) > 2 * LONGEST:
        return None
    said = plain(text)
    if not said:
        return None
    if said in map(plain, out):
        return False
    return True if said in map(plain, back) else None
