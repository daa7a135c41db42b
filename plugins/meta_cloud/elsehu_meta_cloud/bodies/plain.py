"""Texts, files, places, cards and reactions."""

from collections.abc import Mapping
from typing import Any

from elsehu.plugin import Kind, OutboundMedia, OutboundMessage, Rejected, digits_of

from ..names import file_name

Json = Mapping[str, Any]


def text(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return a text; the first address in it is shown with a preview unless `previewUrl` is false."""
    said = message.text or ""
    wants_preview = message.payload.get("previewUrl") is not False
    return {"body": said, "preview_url": wants_preview and ("https://" in said or "http://" in said)}


def media(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return a file by Meta's id of it."""
    file = file_of(message)
    body: dict[str, Any] = {"id": media_id}
    if message.kind is Kind.AUDIO:
        return {**body, "voice": True} if file.is_voice else body
    if message.kind is Kind.DOCUMENT:
        body["filename"] = file_name(file)
    if message.text and message.kind is not Kind.STICKER:
        body["caption"] = message.text
    return body


def location(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return a place; the address is shown only beside a name, so it stands in for one."""
    return place(message.payload)


def place(payload: Json) -> dict[str, Any]:
    """Return a place as messages and templates' headers hold it."""
    name, address = payload.get("name"), payload.get("address")
    words = {"name": name or address, "address": address}
    known = {key: value for key, value in words.items() if value}
    return {"latitude": payload.get("latitude"), "longitude": payload.get("longitude"), **known}


def contacts(message: OutboundMessage, media_id: str | None) -> list[dict[str, Any]]:
    """Return cards."""
    cards = message.payload.get("contacts")
    if not isinstance(cards, list | tuple) or not cards:
        raise Rejected("contacts_missing", "There is no contact to send. Give at least one.")
    return [_card(card) for card in cards]


def reaction(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return a reaction; an empty one takes the last back."""
    if message.quoted is None:
        raise Rejected("reaction_without_message", "There is no message to react to. Name one in replyToId.")
    return {"message_id": message.quoted.external_id, "emoji": message.payload.get("emoji") or ""}


def file_of(message: OutboundMessage) -> OutboundMedia:
    """Return the message's file. Raises Rejected where there is none."""
    if message.media is None:
        raise Rejected("media_missing", f"A message of the kind {message.kind} needs a file.")
    return message.media


NAME_PARTS = {
    "prefix": "prefix",
    "firstName": "first_name",
    "middleName": "middle_name",
    "lastName": "last_name",
    "suffix": "suffix",
}
ORGANIZATION = {"organization": "company", "department": "department", "title": "title"}
ADDRESS = {one: one for one in ("street", "city", "state", "zip", "country", "type")} | {"countryCode": "country_code"}


def _card(card: Json) -> dict[str, Any]:
    """Return one card. Beside the whole name one part of it is demanded: the whole stands for it too."""
    phones = [_phone(phone) for phone in card.get("phones") or ()]
    name = card.get("name") or (phones[0]["phone"] if phones else "")
    parts = _renamed(card, NAME_PARTS)
    known = {
        "phones": phones,
        "emails": _several(card, "email"),
        "urls": _several(card, "url"),
        "addresses": [_renamed(one, ADDRESS) for one in card.get("addresses") or ()],
        "org": _renamed(card, ORGANIZATION),
        "birthday": card.get("birthday"),
    }
    named = {"formatted_name": name, **(parts or {"first_name": name})}
    return {"name": named, **{key: value for key, value in known.items() if value}}


def _several(card: Json, name: str) -> list[dict[str, Any]]:
    """Return e-mail addresses or pages, of which a card may name one alone, or a list."""
    listed = [_renamed(one, {name: name, "type": "type"}) for one in card.get(f"{name}s") or ()]
    alone = [{name: card[name]}] if card.get(name) and card[name] not in [one.get(name) for one in listed] else []
    return [*alone, *listed]


def _renamed(values: Json, names: Json) -> dict[str, Any]:
    return {theirs: values[ours] for ours, theirs in names.items() if values.get(ours)}


def _phone(phone: Json) -> dict[str, Any]:
    """Return one number; with `wa_id` the card can be written to at a tap."""
    wa_id = digits_of(str(phone.get("waId") or ""))
    known = {"type": phone.get("type"), "wa_id": wa_id}
    return {"phone": str(phone.get("phone", "")), **{key: value for key, value in known.items() if value}}
