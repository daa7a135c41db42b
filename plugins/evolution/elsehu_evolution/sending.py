"""Handing one message to Evolution (Evolution API reference, section 4)."""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from elsehu.plugin import (
    Identity,
    IdentityKind,
    Instance,
    Kind,
    OutboundMedia,
    OutboundMessage,
    PluginContext,
    Quoted,
    Rejected,
    Sent,
    digits_of,
)

from .client import server_of
from .failures import maybe_sent
from .files import base_type, file_name
from .flavours import Json, mapping, moment, text
from .identities import USER, identity
from .parts import id_of

Body = dict[str, Any]
Build = Callable[[OutboundMessage], Awaitable[tuple[str, Body]]]

MEDIA_TYPES = {Kind.IMAGE: "image", Kind.VIDEO: "video", Kind.DOCUMENT: "document", Kind.AUDIO: "audio"}
OPUS = "codecs=opus"


async def send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Send `message` once. Raises Retryable only if it certainly stayed here, OutcomeUnknown if nobody knows."""
    build = BUILDERS.get(message.kind)
    if build is None:
        raise Rejected("unsupported_by_provider", f"Evolution cannot send messages of the kind {message.kind}.")
    action, body = await build(message)
    return _sent(await server_of(context, instance).send(action, body))


def _sent(answer: Json) -> Sent:
    """Read the answer: the id, and the address that WhatsApp really uses for the number that was given."""
    key = mapping(answer.get("key"))
    external_id = id_of(key)
    if external_id is None:
        raise maybe_sent("the answer has no id of a message")
    used = [identity(key.get(name)) for name in ("remoteJid", "remoteJidAlt")]
    people = [one for one in used if one is not None and one.kind is not IdentityKind.GROUP]
    return Sent(external_id, moment(answer.get("messageTimestamp")), identities=tuple(dict.fromkeys(people)))


def number_of(to: Sequence[Identity]) -> str:
    """Return what to send to: a phone's digits if one is known, else the whole LID or group address.

    Raises Rejected where there is no address that WhatsApp knows.
    """
    phone = next((one for one in to if one.kind is IdentityKind.PHONE), None)
    if phone is not None:
        return digits_of(phone.address.partition("@")[0]) or phone.value
    other = next((one for one in to if one.kind in (IdentityKind.LID, IdentityKind.GROUP)), None)
    if other is None:
        raise Rejected("no_address", "This contact has no address on WhatsApp. Add a phone number.")
    return other.address


def jid_of(number: str) -> str:
    """Return a number as the JID that keys of messages use."""
    return number if "@" in number else number + USER


async def _text(message: OutboundMessage) -> tuple[str, Body]:
    return "sendText", {**_to(message), "text": message.text or "", **_quote(message)}


async def _media(message: OutboundMessage) -> tuple[str, Body]:
    media = _file(message)
    body = {
        **_to(message),
        "mediatype": MEDIA_TYPES[message.kind],
        "mimetype": base_type(media.mime_type),
        "fileName": file_name(media.file_name, media.mime_type, keeps_extension=message.kind is Kind.DOCUMENT),
        "media": await _encoded(media),
    }
    caption = {"caption": message.text} if message.text else {}
    return "sendMedia", {**body, **caption, **_quote(message)}


async def _audio(message: OutboundMessage) -> tuple[str, Body]:
    """Send a voice note, which cannot quote, or a file of sound.

    What is no sound would arrive as a voice note of no length, without any error.
    """
    media = _file(message)
    if not media.is_voice:
        return await _media(message)
    if not media.mime_type.startswith(("audio/", "video/")):
        raise Rejected("media_not_audio", f"A voice note must be sound, not {media.mime_type}.")
    is_opus = media.mime_type.startswith("audio/ogg") and OPUS in media.mime_type
    return "sendWhatsAppAudio", {**_to(message), "audio": await _encoded(media), "encoding": not is_opus}


async def _sticker(message: OutboundMessage) -> tuple[str, Body]:
    return "sendSticker", {**_to(message), "sticker": await _encoded(_file(message)), **_quote(message)}


async def _location(message: OutboundMessage) -> tuple[str, Body]:
    """Send a place; name and address are demanded, so the coordinates stand in for them."""
    place = message.payload
    latitude, longitude = place.get("latitude"), place.get("longitude")
    where = f"{latitude}, {longitude}"
    body = {
        **_to(message),
        "latitude": latitude,
        "longitude": longitude,
        "name": text(place.get("name")) or where,
        "address": text(place.get("address")) or where,
    }
    return "sendLocation", {**body, **_quote(message)}


async def _contacts(message: OutboundMessage) -> tuple[str, Body]:
    cards = message.payload.get("contacts")
    people = [_card(mapping(card)) for card in cards] if isinstance(cards, list | tuple) else []
    if not people:
        raise Rejected("contacts_missing", "There is no contact to send. Give at least one.")
    return "sendContact", {**_to(message), "contact": people}


def _card(card: Json) -> Body:
    """Return one card; without `wuid` as digits, phones would not link the number."""
    phones = card.get("phones")
    phone = text(mapping(phones[0]).get("phone")) if isinstance(phones, list | tuple) and phones else None
    if phone is None or not digits_of(phone):
        raise Rejected("contact_without_phone", f"The contact {card.get('name')!r} has no phone number. Add one.")
    optional = {
        "organization": text(card.get("organization")),
        "email": text(card.get("email")) or _first(card, "email"),
        "url": text(card.get("url")) or _first(card, "url"),
    }
    known = {name: value for name, value in optional.items() if value}
    return {"fullName": text(card.get("name")) or phone, "wuid": digits_of(phone), "phoneNumber": phone, **known}


def _first(card: Json, name: str) -> str | None:
    """Return the first of several: Evolution's cards have one e-mail address and one page."""
    several = card.get(f"{name}s")
    return text(mapping(several[0]).get(name)) if isinstance(several, list | tuple) and several else None


async def _reaction(message: OutboundMessage) -> tuple[str, Body]:
    if message.quoted is None:
        raise Rejected("reaction_without_message", "There is no message to react to. Name one in replyToId.")
    emoji = message.payload.get("emoji") or ""
    return "sendReaction", {"key": _key(message, message.quoted), "reaction": emoji}


def _to(message: OutboundMessage) -> Body:
    return {"number": number_of(message.to)}


def _quote(message: OutboundMessage) -> Body:
    """Quote with the text as well, so that the reply shows it even if the server has lost the message."""
    if message.quoted is None:
        return {}
    quoted: Body = {"key": _key(message, message.quoted)}
    if message.quoted.text:
        quoted["message"] = {"conversation": message.quoted.text}
    return {"quoted": quoted}


def _key(message: OutboundMessage, quoted: Quoted) -> Body:
    chat = quoted.chat_address or number_of(message.to)
    return {"id": quoted.external_id, "remoteJid": jid_of(chat), "fromMe": quoted.from_company}


def _file(message: OutboundMessage) -> OutboundMedia:
    if message.media is None:
        raise Rejected("media_missing", f"A message of the kind {message.kind} needs a file.")
    return message.media


async def _encoded(media: OutboundMedia) -> str:
    """Return a file as bare base64: a data URI is refused, and so are addresses inside a container network."""
    return base64.b64encode(await media.read()).decode()


BUILDERS: Mapping[Kind, Build] = {
    Kind.TEXT: _text,
    Kind.IMAGE: _media,
    Kind.VIDEO: _media,
    Kind.DOCUMENT: _media,
    Kind.AUDIO: _audio,
    Kind.STICKER: _sticker,
    Kind.LOCATION: _location,
    Kind.CONTACTS: _contacts,
    Kind.REACTION: _reaction,
}
