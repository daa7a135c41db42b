"""The ``message`` part of bodies: what WhatsApp's schema makes of a text, a picture, a contact…

Used for what our side sends and for what customers send; the differences between the two are arguments.
"""

import hashlib
import mimetypes
import secrets
import struct
import time
from collections.abc import Iterator
from typing import Any

from .flavours import Long
from .world import Json

CDN = "https://mmg.whatsapp.net"
DISAPPEARING_OFFSET = 172_800
THUMBNAIL = b"\xff\xd8\xff\xdb" + bytes(56) + b"\xff\xd9"
WAVEFORM = bytes(64)
WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
)
MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}
EXTENSIONS = {"image/jpeg": "jpeg", "audio/ogg": "oga", "audio/mpeg": "mpga", "video/mp4": "mp4", "image/webp": "webp"}
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
SOUNDS = (b"OggS", b"ID3", b"RIFF", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\x1aE\xdf\xa3", b"#!AMR")


def context_info(*, attributions: bool = False) -> Json:
    """Return the ``contextInfo`` that a message of ours gets in a chat with one person."""
    info: Json = {"mentionedJid": [], "groupMentions": []}
    if attributions:
        info["statusAttributions"] = []
    info["ephemeralSettingTimestamp"] = Long(int(time.time()) - DISAPPEARING_OFFSET)
    info["disappearingMode"] = {"initiator": 0}
    return info


def their_context(**known: Any) -> Json:
    """Return the ``contextInfo`` of a customer's message, with what is known (quote, forward, timer)."""
    return {"mentionedJid": [], "groupMentions": [], "statusAttributions": []} | known


def upload(cdn: dict[str, bytes], data: bytes, mimetype: str) -> Json:
    """Put a file on WhatsApp's servers and return the fields that point to it."""
    path = f"/v/t62.7118-24/{secrets.token_hex(9)}_n.enc?ccb=11-4&oh=01_FAKE&oe=6A000000&_nc_sid=5e03e0"
    cdn[path] = data
    return {
        "url": f"{CDN}{path}&mms3=true",
        "mimetype": mimetype,
        "fileSha256": hashlib.sha256(data).digest(),
        "fileLength": Long(len(data), unsigned=True),
        "mediaKey": secrets.token_bytes(32),
        "fileEncSha256": secrets.token_bytes(32),
        "directPath": path,
        "mediaKeyTimestamp": Long(int(time.time())),
    }


def image(file: Json, data: bytes, caption: str | None) -> Json:
    """Return the content of an image."""
    width, height = image_size(data)
    lists: Json = {"interactiveAnnotations": [], "scanLengths": [], "annotations": []}
    return lists | _captioned(file, caption) | {"height": height, "width": width, "jpegThumbnail": THUMBNAIL}


def video(file: Json, caption: str | None, **more: Any) -> Json:
    """Return the content of a video; ``more`` is what its phone told of it (size, seconds, gif)."""
    lists: Json = {"interactiveAnnotations": [], "annotations": [], "processedVideos": []}
    return lists | _captioned(file, caption) | more


def audio(file: Json, *, voice: bool) -> Json:
    """Return the content of an audio file or a voice note; an empty one has no length and no waveform."""
    length = int(file["fileLength"])
    content = dict(file)
    if length:
        content["seconds"] = max(1, length // 8000)
    if voice:
        content["ptt"] = True
        if length:
            content["waveform"] = WAVEFORM
    return content


def document(file: Json, file_name: str, caption: str | None) -> Json:
    """Return the content of a document."""
    return _captioned(file, caption) | {"fileName": file_name}


def vcard(name: str, phone: str, waid: str, *extra: str, formal: str | None = None) -> str:
    """Return a card; ``waid`` is the number that phones link, ``extra`` further lines."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:{formal or name}", f"FN:{name}", *extra]
    return "\n".join([*lines, f"item1.TEL;waid={waid}:{phone}", "item1.X-ABLabel:Celular", "END:VCARD"])


def unwrap(message: Json) -> Json:
    """Follow wrappers down to the leaf."""
    for wrapper in WRAPPERS:
        if wrapper in message:
            return unwrap(message[wrapper]["message"])
    return message


def media_of(message: Json) -> tuple[str, Json] | None:
    """Return the kind of media and its content out of a message, wrapped or not."""
    leaf = unwrap(message)
    return next(((kind, leaf[kind]) for kind in MEDIA if kind in leaf), None)


def text_of(message: Json) -> str | None:
    """Return what can be edited: a text or a caption."""
    leaf = unwrap(message)
    if "conversation" in leaf:
        return str(leaf["conversation"])
    if "extendedTextMessage" in leaf:
        return str(leaf["extendedTextMessage"]["text"])
    found = media_of(leaf)
    return found[1].get("caption") if found else None


def is_image(data: bytes) -> bool:
    """Tell whether the image library would read this."""
    return data.startswith(IMAGES)


def is_sound(data: bytes) -> bool:
    """Tell whether the converter would find sound in this."""
    return data.startswith(SOUNDS) or data[4:8] == b"ftyp"


def image_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a PNG or JPEG; 64 x 64 for what is neither."""
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    for marker, segment in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xC3 and len(segment) >= 5:
            height, width = struct.unpack(">HH", segment[1:5])
            return width, height
    return 64, 64


def mime_by_name(file_name: str) -> str:
    """Guess as the server does: what it cannot guess becomes the text "false"."""
    return mimetypes.guess_type(file_name)[0] or "false"


def extension(mimetype: str) -> str:
    """Return the extension that the server gives to files without a name."""
    plain = mimetype.partition(";")[0]
    return EXTENSIONS.get(plain) or (mimetypes.guess_extension(plain) or ".bin")[1:]


def _captioned(content: Json, caption: str | None) -> Json:
    return content | ({"caption": caption} if caption else {})


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], data[at + 4 : at + 2 + size]
        at += 2 + size
