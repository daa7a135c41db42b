"""File names that are safe to store, to show and to save under; and the header that carries them."""

import re
import unicodedata
from urllib.parse import quote

from elsehu.contracts.message import Kind
from elsehu.media.types import kind_of

LONGEST = 200
"""In bytes of UTF-8: file systems take 255."""

LONGEST_SUFFIX = 20
_RESERVED = re.compile(r'[<>:"|?*%]')
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"

SUFFIXES: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/png": (".png",),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/opus": (".opus", ".ogg"),
    "audio/mpeg": (".mp3",),
    "audio/mp4": (".m4a", ".mp4"),
    "audio/aac": (".aac",),
    "audio/amr": (".amr",),
    "audio/wav": (".wav",),
    "audio/webm": (".webm", ".weba"),
    "video/mp4": (".mp4", ".m4v"),
    "video/webm": (".webm",),
    "video/3gpp": (".3gp",),
    "video/quicktime": (".mov", ".qt"),
    "application/pdf": (".pdf",),
    "text/plain": (".txt",),
    "text/csv": (".csv",),
    "text/vcard": (".vcf",),
    "application/zip": (".zip",),
}
"""The endings that suit a type, the usual one first."""


def safe_name(name: str | None, mime_type: str) -> str:
    """Return a file name made of what somebody claims: no path, no control or bidirectional characters.

    It is never empty, at most LONGEST bytes, and ends as its type should where players and providers go by
    the ending (Evolution sends what the ending says, whatever the type).
    """
    stem, suffix = _split(_clean(name or ""))
    suits = SUFFIXES.get(mime_type, ())
    must_suit = kind_of(mime_type) is not Kind.DOCUMENT or mime_type == "application/pdf"
    if suits and (not suffix or must_suit) and suffix.lower() not in suits:
        stem, suffix = stem + suffix, suits[0]
    return _shortened(stem or "file", LONGEST - len(suffix.encode())) + suffix


def content_disposition(name: str, inline: bool) -> str:
    """Return the header's value, with the name in ASCII and, where it has more, in UTF-8 (RFC 6266, RFC 8187)."""
    how = "inline" if inline else "attachment"
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    plain = f'{how}; filename="{ascii_name}"'
    return plain if ascii_name == name else f"{plain}; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE_CHARACTERS)}"


def _clean(name: str) -> str:
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    spaced = "".join(" " if character.isspace() else character for character in last)
    visible = "".join(character for character in spaced if unicodedata.category(character)[0] != "C")
    return " ".join(_RESERVED.sub("_", visible).split()).strip(". ")


def _split(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    if not stem or not suffix.isascii() or not suffix.isalnum() or len(suffix) >= LONGEST_SUFFIX:
        return name, ""
    return stem.rstrip(". "), dot + suffix


def _shortened(text: str, length_bytes: int) -> str:
    return text.encode()[:length_bytes].decode(errors="ignore").rstrip(". ") or "file"
