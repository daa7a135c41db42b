"""Messages without a file, from the body of a request to what WhatsApp is handed (reference, section 4)."""

import time
import unicodedata
from typing import Any
from uuid import uuid4

from .backend import Call
from .content import vcard
from .errors import bad_request, refusal
from .jids import address
from .outbox import Outgoing, context


def text(call: Call, jid: str) -> Outgoing:
    """Prepare a text."""
    written = call.body["text"]
    if not written.strip():
        raise bad_request("Text is required")
    return Outgoing(
        "text",
        {"text": written},
        "conversation",
        {"conversation": written},
        context(call, jid),
        messages_own_context=False,
    )


def location(call: Call, jid: str) -> Outgoing:
    """Prepare a place."""
    names = {"degreesLatitude": "latitude", "degreesLongitude": "longitude", "name": "name", "address": "address"}
    place = {key: call.body[name] for key, name in names.items()}
    shown = {name: call.body[name] for name in names.values()}
    return Outgoing("location", shown, "locationMessage", {"locationMessage": place}, context(call, jid))


def contacts(call: Call, jid: str) -> Outgoing:
    """Prepare one card or several; a card without ``wuid`` gets a whole JID as ``waid``."""
    people = call.body["contact"]
    cards = [{"displayName": person["fullName"], "vcard": _card(person)} for person in people]
    if len(cards) == 1:
        kind, message = "contactMessage", cards[0]
    else:
        kind = "contactsArrayMessage"
        message = {"contacts": cards, "displayName": f"{len(cards)} contacts"}
    return Outgoing("contacts", {"contact": people}, kind, {kind: message}, context(call, jid, quotes=False))


def reaction(call: Call, jid: str) -> Outgoing:
    """Prepare a reaction, or its removal."""
    emoji, key = call.body["reaction"], call.body["key"]
    if emoji and not is_single_emoji(emoji):
        raise bad_request("Reaction must be a single emoji or empty string")
    message = {"text": emoji, "key": key, "senderTimestampMs": int(time.time() * 1000)}
    return Outgoing(
        "reaction", {"reaction": emoji, "key": key}, "reactionMessage", {"reactionMessage": message}, quoted=key["id"]
    )


def poll(call: Call, jid: str) -> Outgoing:
    """Prepare a poll."""
    body = call.body
    creation = {
        "name": body["name"],
        "selectableOptionsCount": body["selectableCount"],
        "options": [{"optionName": value} for value in body["values"]],
    }
    message = {"messageContextInfo": {"messageSecret": uuid4().bytes * 2}, "pollCreationMessageV3": creation}
    shown = {"text": body["name"], "values": body["values"], "selectableCount": body["selectableCount"]}
    return Outgoing("poll", shown, "pollCreationMessageV3", message, context(call, jid))


def choice_list(call: Call, jid: str) -> Outgoing:
    """Prepare a list to choose from."""
    names = ("title", "description", "buttonText", "footerText", "sections")
    shown = {name: call.body[name] for name in names if name in call.body}
    message = shown | {"listType": 2}
    return Outgoing("list", shown, "listMessage", {"listMessage": message}, context(call, jid))


def status(call: Call, jid: str) -> Outgoing:
    """Prepare a status, seen by all contacts."""
    written = call.body["content"]
    return Outgoing("status", {"text": written}, "conversation", {"conversation": written})


def template(call: Call, jid: str) -> Outgoing:
    """Refuse: templates exist on the BUSINESS channel alone."""
    raise refusal(500, "Method not available in the Baileys service")


def is_single_emoji(candidate: str) -> bool:
    """Tell whether this is one emoji, with skin tones, joiners and flags allowed for."""
    plain = [c for c in candidate if c != "\ufe0f" and not "\U0001f3fb" <= c <= "\U0001f3ff"]
    pieces = "".join(plain).split("\u200d")
    flag = len(plain) == 2 and all("\U0001f1e6" <= c <= "\U0001f1ff" for c in plain)
    symbols = all(unicodedata.category(c) in ("So", "Sm", "Po") for piece in pieces for c in piece)
    return flag or (symbols and all(len(piece) == 1 for piece in pieces))


def _card(person: dict[str, Any]) -> str:
    phone = person["phoneNumber"]
    lines = {"ORG": "organization", "EMAIL": "email", "URL": "url"}
    extra = [
        f"{label}:{person[name]}{';' if label == 'ORG' else ''}" for label, name in lines.items() if name in person
    ]
    return vcard(person["fullName"], phone, person.get("wuid") or address(phone), *extra)
