"""What people's phones make of a message: the data of ``messages.upsert`` (reference, section 7.2)."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import content, samples
from .flavours import Long
from .ids import android_message_id, ios_message_id
from .people import Person
from .world import Instance, Json

GIF: Json = {"gifPlayback": True, "gifAttribution": 2}
Written = tuple[str, Json]
"""A message's type and the message."""


@dataclass(slots=True, kw_only=True)
class Letter:
    """One message as its author wants it."""

    kind: str
    content: Json
    from_me: bool = False
    group: str | None = None
    quoting: str | None = None
    forwarded: int = 0
    """How often it was forwarded before."""
    expiration: int | None = None
    wrapper: str | None = None
    """Of ``content.WRAPPERS``, for disappearing and view-once messages."""
    source: str = "android"
    at: float | None = None
    id: str | None = None


def message_id(letter: Letter) -> str:
    """Return the id of a letter, made up by the phone if not given."""
    return letter.id or (ios_message_id() if letter.from_me else android_message_id())


def data(cdn: dict[str, bytes], instance: Instance, person: Person, letter: Letter) -> Json:
    """Return a letter as the data of ``messages.upsert``, without key and instance."""
    at = time.time() if letter.at is None else letter.at
    kind, message = _BUILDERS[letter.kind](cdn, _addressed(instance, person, letter))
    context = _context(instance, person, letter)
    if context and kind != "conversation":
        message = message | {kind: message[kind] | {"contextInfo": context}}
    if letter.wrapper:
        kind, message, context = letter.wrapper, {letter.wrapper: {"message": _unflattened(message, context)}}, None
    written: Json = {
        "pushName": instance.profile_name if letter.from_me else person.name,
        "status": "SERVER_ACK" if letter.from_me else "DELIVERY_ACK",
        "message": message,
    }
    if context or not _silent_about_context(kind, letter):
        written["contextInfo"] = context
    source = "ios" if letter.from_me and letter.source == "android" else letter.source
    return written | {"messageType": kind, "messageTimestamp": int(at), "source": source}


def _silent_about_context(kind: str, letter: Letter) -> bool:
    """Tell for which messages no context means no field; for the others it is null."""
    captioned = kind == "documentMessage" and bool(letter.content.get("caption"))
    return captioned or kind in ("conversation", "reactionMessage", letter.wrapper)


def _addressed(instance: Instance, person: Person, letter: Letter) -> Json:
    """Complete a reaction: its target's key is already from our point of view."""
    if letter.kind != "reaction":
        return letter.content
    target = instance.by_id.get(letter.content["to"])
    mine = target is not None and target.key["fromMe"]
    chat = letter.group or person.jid
    key = {"remoteJid": chat, "fromMe": mine, "id": letter.content["to"], "participant": ""}
    return letter.content | {"key": key}


def _context(instance: Instance, person: Person, letter: Letter) -> Json | None:
    known: Json = {}
    if letter.quoting:
        quoted = instance.by_id.get(letter.quoting)
        own = quoted is not None and quoted.key["fromMe"]
        known |= {"stanzaId": letter.quoting, "participant": instance.owner_jid if own else person.jid}
        known |= {"quotedMessage": quoted.data["message"]} if quoted else {}
    if letter.forwarded:
        known |= {"forwardingScore": letter.forwarded, "isForwarded": True}
    if letter.expiration:
        known["expiration"] = letter.expiration
    return content.their_context(**known) if known else None


def _unflattened(message: Json, context: Json | None) -> Json:
    """Texts keep their long form inside wrappers."""
    if "conversation" not in message:
        return message
    own = {"contextInfo": context or content.their_context(expiration=86_400)}
    return {"extendedTextMessage": {"endCardTiles": [], "text": message["conversation"]} | own}


def _uploaded(cdn: dict[str, bytes], given: Json, default: bytes, mimetype: str) -> tuple[Json, bytes]:
    file = base64.b64decode(given["base64"]) if given.get("base64") else default
    return content.upload(cdn, file, given.get("mimetype") or mimetype), file


def _text(cdn: dict[str, bytes], given: Json) -> Written:
    return "conversation", {"conversation": given["text"]}


def _image(cdn: dict[str, bytes], given: Json) -> Written:
    uploaded, file = _uploaded(cdn, given, samples.png(), "image/png")
    return "imageMessage", {"imageMessage": content.image(uploaded, file, given.get("caption"))}


def _video(cdn: dict[str, bytes], given: Json) -> Written:
    uploaded, _ = _uploaded(cdn, given, samples.mp4(), "video/mp4")
    told = GIF if given.get("gif") else {"seconds": 1, "height": 64, "width": 64}
    return "videoMessage", {"videoMessage": content.video(uploaded, given.get("caption"), **told)}


def _audio(cdn: dict[str, bytes], given: Json) -> Written:
    uploaded, _ = _uploaded(cdn, given, samples.ogg(), "audio/ogg; codecs=opus")
    return "audioMessage", {"audioMessage": content.audio(uploaded, voice=given.get("voice", True))}


def _document(cdn: dict[str, bytes], given: Json) -> Written:
    name = given.get("fileName") or "contrato.pdf"
    uploaded, _ = _uploaded(cdn, given, samples.pdf(), content.mime_by_name(name))
    return "documentMessage", {"documentMessage": content.document(uploaded, name, given.get("caption"))}


def _sticker(cdn: dict[str, bytes], given: Json) -> Written:
    uploaded, _ = _uploaded(cdn, given, samples.webp(), "image/webp")
    return "stickerMessage", {"stickerMessage": uploaded | {"height": 64, "width": 64, "isAnimated": False}}


def _location(cdn: dict[str, bytes], given: Json) -> Written:
    place = {"degreesLatitude": given["latitude"], "degreesLongitude": given["longitude"]}
    place |= {name: given[name] for name in ("name", "address") if given.get(name)}
    return "locationMessage", {"locationMessage": place | {"jpegThumbnail": content.THUMBNAIL[:3]}}


def _contact(cdn: dict[str, bytes], given: Json) -> Written:
    name, phone = given["name"], given["phone"]
    card = content.vcard(name, phone, "".join(filter(str.isdigit, phone)), formal=f";{name};;;")
    return "contactMessage", {"contactMessage": {"displayName": name, "vcard": card}}


def _reaction(cdn: dict[str, bytes], given: Json) -> Written:
    moment = Long(int(time.time() * 1000))
    message = {"key": given["key"], "text": given["emoji"], "senderTimestampMs": moment}
    return "reactionMessage", {"reactionMessage": message}


def _raw(cdn: dict[str, bytes], given: Json) -> Written:
    return given["type"], given["message"]


_BUILDERS: dict[str, Callable[[dict[str, bytes], Json], Written]] = {
    "text": _text,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "document": _document,
    "sticker": _sticker,
    "location": _location,
    "contact": _contact,
    "reaction": _reaction,
    "raw": _raw,
}
