"""What a message holds, by the keys of its `message` (Evolution API reference, section 7.2)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elsehu.plugin import Kind, MediaContent

from . import structured
from .flavours import Json, Unreadable, mapping, sha256_of, text, whole
from .structured import Content

DEEPEST = 8
BESIDE = frozenset(
    {
        "base64",
        "contextInfo",
        "fastRatchetKeySenderKeyDistributionMessage",
        "mediaUrl",
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "speechToText",
    }
)
"""Keys of `message` that stand beside what it holds."""

SILENT = frozenset({"albumMessage", "encReactionMessage", "keepInChatMessage", "stickerSyncRmrMessage"})
"""Traffic that no person wrote, or whose content follows in messages of its own."""

USUAL_TYPES = {
    Kind.IMAGE: "image/jpeg",
    Kind.VIDEO: "video/mp4",
    Kind.AUDIO: "audio/ogg",
    Kind.STICKER: "image/webp",
    Kind.DOCUMENT: "application/octet-stream",
}
MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+=\"-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The innermost part of a message: its name, itself, and whether wrappers were around it."""

    name: str
    value: Any
    is_wrapped: bool


def leaf_of(message: Json) -> Leaf | None:
    """Return what `message` holds once every wrapper is off; None where there is nothing to show.

    Disappearing, view-once, edited and other wrappers all hold the real message under `message`.
    """
    for depth in range(DEEPEST):
        name = _name(message)
        if name is None:
            return None
        value = message[name]
        inner = value.get("message") if type(value) is dict else None
        if type(inner) is not dict:
            return Leaf(name, value, depth > 0)
        message = inner
    return None


def _name(message: Json) -> str | None:
    names = [name for name in message if name not in BESIDE and message[name] is not None]
    return next((name for name in names if name in READERS), names[0] if names else None)


def read(leaf: Leaf) -> Content | None:
    """Return what a leaf holds, None for what is not to be shown. Raises Unreadable."""
    if leaf.name in SILENT:
        return None
    reader = READERS.get(leaf.name)
    return reader(leaf.value) if reader else structured.unsupported(leaf.name, mapping(leaf.value))


def context_of(data: Json, leaf: Leaf) -> Json:
    """Return the context of a message: Evolution puts it beside, wrappers keep it inside."""
    beside = data.get("contextInfo")
    return beside if type(beside) is dict else mapping(mapping(leaf.value).get("contextInfo"))


def words_of(message: Json) -> str | None:
    """Return the text or caption of an edited message."""
    leaf = leaf_of(message)
    if leaf is None:
        return None
    if leaf.name == "protocolMessage":
        return words_of(mapping(mapping(leaf.value).get("editedMessage")))
    content = read(leaf)
    return content.text if content else None


def _conversation(value: Any) -> Content:
    if type(value) is not str:
        raise Unreadable("a text that is none")
    return Content(Kind.TEXT, value)


def _extended_text(value: Any) -> Content:
    return _conversation(mapping(value).get("text"))


def _media(kind: Kind) -> Callable[[Any], Content]:
    def read_media(value: Any) -> Content:
        leaf = mapping(value)
        media = MediaContent(
            mime_type=_mime_type(leaf) or USUAL_TYPES[kind],
            file_name=_file_name(leaf),
            size=_size(leaf),
            sha256=sha256_of(leaf.get("fileSha256")),
            is_voice=leaf.get("ptt") is True,
        )
        return Content(kind, text(leaf.get("caption")), media=media)

    return read_media


def _mime_type(leaf: Json) -> str | None:
    """Return the declared type; a file sent without an extension declares "false"."""
    declared = text(leaf.get("mimetype")) or text(leaf.get("mime_type"))
    return declared if declared and len(declared) <= 127 and MIME_TYPE.fullmatch(declared) else None


def _file_name(leaf: Json) -> str | None:
    name = text(leaf.get("fileName")) or text(leaf.get("title"))
    return name[-255:] if name else None


def _size(leaf: Json) -> int | None:
    size = whole(leaf.get("fileLength"))
    return size if size is not None and 0 <= size < 2**63 else None


def _polls() -> Iterator[str]:
    yield "pollCreationMessage"
    yield from (f"pollCreationMessageV{version}" for version in range(2, 7))


READERS: Mapping[str, Callable[[Any], Content | None]] = {
    "conversation": _conversation,
    "extendedTextMessage": _extended_text,
    "imageMessage": _media(Kind.IMAGE),
    "videoMessage": _media(Kind.VIDEO),
    "ptvMessage": _media(Kind.VIDEO),
    "audioMessage": _media(Kind.AUDIO),
    "documentMessage": _media(Kind.DOCUMENT),
    "stickerMessage": _media(Kind.STICKER),
    "locationMessage": structured.location,
    "liveLocationMessage": structured.live_location,
    "contactMessage": structured.contact,
    "contactsArrayMessage": structured.contacts,
    "buttonsResponseMessage": structured.button_reply,
    "templateButtonReplyMessage": structured.template_reply,
    "listResponseMessage": structured.list_reply,
    "interactiveResponseMessage": structured.flow_reply,
    "pollUpdateMessage": structured.poll_vote,
    **dict.fromkeys(_polls(), structured.poll),
}
