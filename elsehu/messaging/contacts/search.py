"""Search without accents or case."""

import unicodedata

from elsehu.phones import digits_of

ACCENTS = dict.fromkeys(range(0x300, 0x370))
"""Those of European languages, which are gone at once; others are looked for letter by letter."""


def plain(text: str) -> str:
    """Return `text` in lower case without accents: `José` and `jose` alike."""
    if text.isascii():
        return text.casefold()
    bare = unicodedata.normalize("NFKD", text).translate(ACCENTS)
    if not bare.isascii():
        bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return bare.casefold()


def search_text(name: str, profile_name: str, phone: str | None, email: str | None, username: str = "") -> str:
    """Return what a contact is searched by."""
    parts = (name, profile_name, digits_of(phone or ""), email or "", username)
    return plain(" ".join(part for part in parts if part))
