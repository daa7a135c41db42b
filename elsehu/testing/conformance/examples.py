"""One message of each kind to send, made to fit what the provider declares."""

import hashlib
import struct
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from elsehu.contracts.message import MEDIA_KINDS, Identity, IdentityKind, Kind
from elsehu.contracts.outbound import OutboundMedia, OutboundMessage, Quoted
from elsehu.contracts.plugin import InteractiveLimits, ProviderSpec
from elsehu.contracts.template import ProviderTemplate
from elsehu.ids import new_id
from elsehu.phones import canonical


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header, rows = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0), (b"\0" + b"\x80" * 8) * 8
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FILES: Mapping[str, bytes] = {
    "image/png": _png(),
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + bytes(200) + b"\xff\xd9",
    "image/webp": b"RIFF" + struct.pack("<I", 254) + b"WEBPVP8 " + bytes(246),
    "image/gif": b"GIF89a\1\0\1\0\0\0\0;",
    "audio/ogg": b"OggS\0\2" + bytes(22) + b"OpusHead\1\1" + bytes(400),
    "audio/mpeg": b"ID3\3\0\0\0\0\0\0\xff\xfb\x90\0" + bytes(400),
    "audio/mp4": struct.pack(">I", 32) + b"ftypM4A \0\0\2\0M4A isomiso2" + bytes(400),
    "audio/aac": b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(400),
    "audio/amr": b"#!AMR\n" + bytes(400),
    "video/mp4": struct.pack(">I", 32) + b"ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(400),
    "video/3gpp": struct.pack(">I", 24) + b"ftyp3gp4\0\0\2\x003gp4isom" + bytes(400),
    "application/pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "text/plain": b"A text.\n",
}
WANTED: Mapping[Kind, tuple[str, ...]] = {
    Kind.IMAGE: ("image/png", "image/jpeg", "image/webp", "image/gif"),
    Kind.STICKER: ("image/webp", "image/png", "image/jpeg"),
    Kind.AUDIO: ("audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"),
    Kind.VIDEO: ("video/mp4", "video/3gpp"),
    Kind.DOCUMENT: ("application/pdf", "text/plain"),
}


def stored_file(data: bytes, mime_type: str, *, is_voice: bool = False) -> OutboundMedia:
    """Return a file as the dispatcher hands it to a provider."""

    async def read() -> bytes:
        return data

    async def stream() -> AsyncIterator[bytes]:
        yield data

    name = f"example.{mime_type.rpartition('/')[2]}"
    return OutboundMedia(new_id(), mime_type, name, len(data), hashlib.sha256(data).hexdigest(), read, stream, is_voice)


def example_file(kind: Kind, spec: ProviderSpec) -> OutboundMedia:
    """Return a file that the provider takes as `kind`. Raises LookupError where we have none of its types."""
    limit = spec.media_limits.get(kind)
    allowed = limit.mime_types if limit and limit.mime_types else frozenset(FILES)
    mime_type = next((one for one in WANTED[kind] if one in allowed), None)
    if mime_type is None:
        raise LookupError(f"no example of {kind} is of one of: {', '.join(sorted(allowed))}; declare `outbound`")
    return stored_file(FILES[mime_type], mime_type)


def address_of(phone: str) -> Identity:
    """Return a customer's address by phone."""
    return Identity(IdentityKind.PHONE, canonical(phone), phone)


def text_to(to: Identity, text: str, **more: Any) -> OutboundMessage:
    """Return a text to send."""
    message_id = new_id()
    return OutboundMessage(message_id, str(message_id), [to], Kind.TEXT, text, **more)


def examples(
    spec: ProviderSpec, to: Identity, quoted: Quoted, template: ProviderTemplate | None
) -> Iterator[tuple[str, OutboundMessage]]:
    """Yield what can be sent, one of each kind, each with its name; interactive ones of each declared type."""
    for kind in sorted(spec.kinds):
        for name, fields in _fields(kind, spec, quoted, template):
            message_id = new_id()
            yield name, OutboundMessage(message_id, str(message_id), [to], kind, **fields)


def _fields(
    kind: Kind, spec: ProviderSpec, quoted: Quoted, template: ProviderTemplate | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind in MEDIA_KINDS:
        caption = "a caption" if kind in spec.captions else None
        yield kind, {"media": example_file(kind, spec), "text": caption}
    elif kind is Kind.TEXT:
        yield "text", {"text": "an example of a text"}
        yield "text with a quote", {"text": "an example of an answer", "quoted": quoted}
    elif kind is Kind.LOCATION:
        place = {"latitude": -3.731, "longitude": -38.526, "name": "Shop", "address": "Main Street 1"}
        yield kind, {"payload": place}
    elif kind is Kind.CONTACTS:
        card = {"name": "Maria Silva", "phones": [{"phone": "+5511988887777", "type": "CELL"}]}
        yield kind, {"payload": {"contacts": [card]}}
    elif kind is Kind.REACTION:
        yield kind, {"payload": {"emoji": "👍"}, "quoted": quoted}
    elif kind is Kind.INTERACTIVE:
        for name, limits in spec.interactive.items():
            yield f"interactive {name}", {"text": "Which one?", "payload": interactive(name, limits)}
    elif kind is Kind.TEMPLATE:
        yield kind, {"text": "Hello", "payload": template_payload(template)}


def interactive(name: str, limits: InteractiveLimits) -> dict[str, Any]:
    """Return the payload of an interactive message of the type `name`."""
    options = [{"id": f"choice-{number}", "title": f"Choice {number}"} for number in (1, 2)]
    options = options[: limits.max_choices or 2]
    contents: dict[str, dict[str, Any]] = {
        "buttons": {"buttons": options},
        "list": {"label": "Choose", "sections": [{"title": "All", "rows": options}]},
        "link": {"label": "Open", "url": "https://example.com/"},
        "flow": {"label": "Start", "flowId": "1", "action": "navigate", "screen": "FIRST"},
    }
    return {"type": name, "body": "Which one?", **contents.get(name, {})}


def template_payload(template: ProviderTemplate | None) -> dict[str, Any]:
    """Return the payload of a template, filled with its own examples."""
    if template is None:
        about = {"id": str(new_id()), "name": "hello", "language": "en"}
        return {"template": about, "header": None, "body": [], "buttons": []}
    about = {"id": template.external_id or str(new_id()), "name": template.name, "language": template.language}
    header = template.header
    parameters = [{"name": None, "text": header.example}] if header and header.example else []
    text = {"format": "text", "parameters": parameters} if header and header.format == "text" and parameters else None
    body = [{"name": None, "text": example} for example in template.examples]
    return {"template": about, "header": text, "body": body, "buttons": []}
