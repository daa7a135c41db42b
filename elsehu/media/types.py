"""What a file is, by its first bytes. Declared types and names are claims: they only choose between types that
the bytes allow.
"""

import codecs
import re
from collections.abc import Mapping

import filetype

from elsehu.contracts.message import Kind

SNIFF_BYTES = 8192
"""How many of a file's first bytes `detect` looks at."""

OCTETS = "application/octet-stream"
PLAIN = "text/plain"
OGG = "audio/ogg"
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_LONGEST_TYPE = 127
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = "application/zip"
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r\x1b") | {127})

SYNONYMS: Mapping[str, str] = {
    "audio/x-wav": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/mp3": "audio/mpeg",
    "image/jpg": "image/jpeg",
    "text/x-vcard": "text/vcard",
    "application/x-rar-compressed": "application/vnd.rar",
}
"""Spellings that are brought to the registered one."""

NARROWER: Mapping[str, frozenset[str]] = {
    "video/mp4": frozenset({"audio/mp4", "video/3gpp", "audio/3gpp", "video/quicktime"}),
    "video/webm": frozenset({"audio/webm"}),
    "audio/ogg": frozenset({"video/ogg", "audio/opus"}),
    _ZIP: frozenset(
        {
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/vnd.oasis.opendocument.presentation",
            "application/epub+zip",
            "application/vnd.android.package-archive",
        }
    ),
    PLAIN: frozenset({"text/csv", "text/markdown", "text/calendar", "text/vcard", "application/json"}),
    "application/x-ole-storage": frozenset(
        {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
    ),
}
"""What a detected container may also be, if that is what was declared."""

_TEXT_WITH_SIGNATURE = frozenset({"application/pdf", "application/rtf", "application/postscript"})
_MARKUP = re.compile(rb"<(?:!doctype|html|head|body|script|iframe|svg|\?xml|[a-z]+:svg)", re.IGNORECASE)

ACTIVE = frozenset({"text/html", "image/svg+xml", "application/xml"})
"""Types that a browser would run: handed out as bytes to save, never to show."""

_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_SHOWN = _PICTURES | {"application/pdf", PLAIN}


def detect(head: bytes, declared: str = "") -> str:
    """Return the media type of a file that begins with `head` (its first SNIFF_BYTES, or all of it).

    `declared` is what the sender says: it is taken where the bytes allow it, so a ZIP may be a document of
    an office program, but a program is no picture.
    """
    detected = _of_text(head) if _looks_like_text(head) else _of_bytes(head)
    claim = canonical(declared)
    return claim if claim in NARROWER.get(detected, ()) else detected


def canonical(declared: str) -> str:
    """Return a declared media type without parameters, in its registered spelling; OCTETS if it is none."""
    bare = declared.partition(";")[0].strip().lower()
    if len(bare) > _LONGEST_TYPE or not _TYPE.fullmatch(bare):
        return OCTETS
    return SYNONYMS.get(bare, bare)


def kind_of(mime_type: str) -> Kind:
    """Return the kind of message that a file of this type makes, unless its sender wants another."""
    if mime_type in {"image/jpeg", "image/png", "image/webp", "image/gif"}:
        return Kind.IMAGE
    family = mime_type.partition("/")[0]
    return {"audio": Kind.AUDIO, "video": Kind.VIDEO}.get(family, Kind.DOCUMENT)


def fits(mime_type: str, kind: Kind) -> bool:
    """Whether a file of this type can be sent as `kind`. Anything can be sent as a document."""
    if kind is Kind.STICKER:
        return mime_type == "image/webp"
    return kind is Kind.DOCUMENT or kind_of(mime_type) is kind


def is_voice_note(head: bytes) -> bool:
    """Whether an OGG file that begins with `head` holds OPUS in one channel (RFC 7845, section 5.1)."""
    return head.startswith(b"OggS") and head[28:36] == b"OpusHead" and head[37:38] == b"\x01"


def has_thumbnail(mime_type: str) -> bool:
    """Whether a small picture of such a file can be made."""
    return mime_type in _PICTURES


def shown_inline(mime_type: str) -> bool:
    """Whether browsers may show it in place; everything else is to be saved."""
    return mime_type in _SHOWN or mime_type.startswith(("audio/", "video/"))


def served_as(mime_type: str) -> str:
    """Return the type to hand a file out with: its own, unless a browser would run it."""
    if mime_type in ACTIVE:
        return OCTETS
    return f"{PLAIN}; charset=utf-8" if mime_type == PLAIN else mime_type


def _of_bytes(head: bytes) -> str:
    if head.startswith(_OLE):
        return "application/x-ole-storage"
    return canonical(filetype.guess_mime(head) or OCTETS)


def _of_text(head: bytes) -> str:
    by_signature = filetype.guess_mime(head)
    if by_signature in _TEXT_WITH_SIGNATURE:
        return str(by_signature)
    if head.lstrip().upper().startswith(b"BEGIN:VCARD"):
        return "text/vcard"
    markup = _MARKUP.search(head)
    return _of_markup(head, markup.group().lower()) if markup else PLAIN


def _of_markup(head: bytes, first: bytes) -> str:
    if b"svg" in head.lower():
        return "image/svg+xml"
    return "application/xml" if first == b"<?xml" else "text/html"


def _looks_like_text(head: bytes) -> bool:
    """Whether `head` has no control bytes, and is UTF-8 or has no known signature (an old code page)."""
    if not head or head.translate(None, _CONTROL) != head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return filetype.guess(head) is None
    return True
