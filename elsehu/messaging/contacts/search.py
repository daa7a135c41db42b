"""Search without accents or case."""

import unicodedata

from elsehu.phones import digits_of


def plain(text: str) -> str:
    """Return `text` in lower case without accents: `José` and `jose` alike."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def search_text(name: str, profile_name: str, phone: str | None, email: str | None, username: str = "") -> str:
    """Return what a contact is searched by."""
    parts = (name, profile_name, digits_of(phone or ""), email or "", username)
    return plain(" ".join(part for part in parts if part))
