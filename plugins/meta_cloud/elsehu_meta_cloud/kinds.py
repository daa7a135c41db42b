"""What a message holds, by its `type` (Meta Cloud API reference, section 13.3)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from elsehu.plugin import Kind, MediaContent

from . import cards, structured
from .flavours import Json, Unreadable, id_of, mapping, sha256_of, text, whole
from .structured import Content

MEDIA: Mapping[str, Kind] = {
    "image": Kind.IMAGE,
    "video": Kind.VIDEO,
    "audio": Kind.AUDIO,
    "voice": Kind.AUDIO,
    "document": Kind.DOCUMENT,
    "sticker": Kind.STICKER,
}
USUAL_TYPES = {
    Kind.IMAGE: "image/jpeg",
    Kind.VIDEO: "video/mp4",
    Kind.AUDIO: "audio/ogg",
    Kind.STICKER: "image/webp",
    Kind.DOCUMENT: "application/octet-stream",
}
MIME_TYPE = re.compile(r"[\w.+-]{1,63}/[\w.+-]{1,63}", re.ASCII)
LONGEST_FILE_NAME = 255


def read(message: Json, urls: Mapping[str, str]) -> Content:
    """Return what a message holds. Raises Unreadable where it is not what its type says.

    What Meta itself leaves out, and what we have no kind for, is shown as unsupported: somebody wrote.
    """
    name = message.get("type")
    name = name if type(name) is str else ""
    leaf = message.get(name)
    if leaf is None or (name not in MEDIA and name not in READERS):
        return structured.unsupported(name, message)
    try:
        return media(name, mapping(leaf), urls) if name in MEDIA else READERS[name](leaf)
    except Unreadable:
        if message.get("errors"):
            return structured.unsupported(name, message)
        raise


def media(name: str, leaf: Json, urls: Mapping[str, str]) -> Content:
    """Read a file: what fetches it, and what is said of it."""
    media_id = id_of(leaf.get("id"))
    if media_id is None:
        raise Unreadable(f"{name} without the id of its file")
    kind, url, size = MEDIA[name], urls.get(media_id), whole(leaf.get("file_size"))
    found = MediaContent(
        mime_type=_mime_type(leaf) or USUAL_TYPES[kind],
        file_name=_file_name(leaf),
        size=size if size is not None and 0 <= size < 2**63 else None,
        sha256=sha256_of(leaf.get("sha256")),
        reference={"id": media_id, "url": url} if url else {"id": media_id},
        is_voice=name == "voice" or leaf.get("voice") is True,
    )
    is_animated = leaf.get("animated") is True
    return Content(kind, text(leaf.get("caption")), {"animated": True} if is_animated else {}, found)


def _mime_type(leaf: Json) -> str | None:
    """Return the declared type without its parameters."""
    declared = (text(leaf.get("mime_type")) or "").partition(";")[0].strip().lower()
    return declared if MIME_TYPE.fullmatch(declared) else None


def _file_name(leaf: Json) -> str | None:
    name = text(leaf.get("filename"))
    return name[-LONGEST_FILE_NAME:] if name else None


def words(value: Any) -> Content:
    """Read a text."""
    body = mapping(value).get("body")
    if type(body) is not str:
        raise Unreadable("a text that is none")
    return Content(Kind.TEXT, body)


READERS: Mapping[str, Callable[[Any], Content]] = {
    "text": words,
    "location": structured.location,
    "contacts": cards.contacts,
    "interactive": structured.interactive,
    "button": structured.button,
    "order": structured.order,
}
