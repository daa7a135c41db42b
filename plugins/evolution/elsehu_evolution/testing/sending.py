"""``/message/…``: texts and everything else without a file (reference, section 4)."""

import asyncio
import time
import unicodedata
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import orjson

from . import channels, sending_media
from .backend import Answer, Call, Routes
from .content import vcard
from .errors import bad_request, refusal
from .jids import address
from .outbox import Outgoing, context, hand_over, reach
from .schemas import Rule, at_least, check, one_of, required, typed, within, worded
from .world import BAILEYS, Json

Prepare = Callable[[Call, str], Outgoing | Awaitable[Outgoing]]


def _mentioned_are_digits(body: Json) -> list[str]:
    mentioned = body.get("mentioned", [])
    fine = isinstance(mentioned, list) and all(str(number).isdigit() for number in mentioned)
    return [] if fine else ['"mentioned" must be an array of numeric strings']


COMMON: tuple[Rule, ...] = (
    worded("string", "number", "Invalid format"),
    worded("integer", "delay", "Enter a value in milliseconds"),
    within("quoted", within("key", required("id", of="quoted.key"))),
    _mentioned_are_digits,
)


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


def buttons(call: Call, jid: str) -> Outgoing:
    """Prepare buttons, which come back as an interactive message behind a wrapper."""
    body, given = call.body, call.body.get("buttons") or []
    _refuse_bad_mix([button["type"] for button in given])
    written = f"*{body['title']}*\n\n" + (f"{body['description']}\n" if "description" in body else "")
    source = orjson.dumps({"from": "api", "templateId": str(uuid4())}).decode()
    flow = {"buttons": [_button(button) for button in given], "messageParamsJson": source}
    interactive: Json = {"body": {"text": written}}
    if "footer" in body:
        interactive["footer"] = {"text": body["footer"]}
    message = {"viewOnceMessage": {"message": {"interactiveMessage": interactive | {"nativeFlowMessage": flow}}}}
    shown: Json = {name: body[name] for name in ("title", "description", "footer", "buttons") if name in body}
    return Outgoing("buttons", shown, "viewOnceMessage", message, key_extra={"participant": jid})


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


async def _send(prepare: Prepare, rules: tuple[Rule, ...], action: str, call: Call) -> Answer:
    check(call.body, *rules)
    if call.instance.integration != BAILEYS:
        return await channels.send(call, action)
    number = _recipient(call.body)
    jid = address(number)
    outgoing = prepare(call, jid)
    if not isinstance(outgoing, Outgoing):
        outgoing = await outgoing
    reach(call, jid, number)
    if call.body.get("delay") and action not in ("sendContact", "sendReaction"):
        await asyncio.sleep(call.body["delay"] / 1000)
    return 201, hand_over(call.backend, call.instance, jid, outgoing)


def _recipient(body: Json) -> str:
    number: str = body["number"] if "number" in body else body.get("key", {}).get("remoteJid", "status@broadcast")
    return number


def _card(person: dict[str, Any]) -> str:
    phone = person["phoneNumber"]
    lines = {"ORG": "organization", "EMAIL": "email", "URL": "url"}
    extra = [
        f"{label}:{person[name]}{';' if label == 'ORG' else ''}" for label, name in lines.items() if name in person
    ]
    return vcard(person["fullName"], phone, person.get("wuid") or address(phone), *extra)


def _refuse_bad_mix(kinds: list[str]) -> None:
    if not kinds:
        raise bad_request("At least one button is required")
    replies = kinds.count("reply")
    if replies > 3:
        raise bad_request("Maximum of 3 reply buttons allowed")
    if replies and replies < len(kinds):
        raise bad_request("Reply buttons cannot be mixed with other button types")


def _button(button: Json) -> Json:
    shown = {"display_text": button.get("displayText")}
    match button["type"]:
        case "reply":
            name, params = "quick_reply", shown | {"id": button.get("id")}
        case "url":
            name, params = "cta_url", shown | {"url": button.get("url"), "merchant_url": button.get("url")}
        case "call":
            name, params = "cta_call", shown | {"phone_number": button.get("phoneNumber")}
        case "copy":
            name, params = "cta_copy", shown | {"copy_code": button.get("copyCode")}
        case _:
            name, params = "payment_info", shown
    return {"name": name, "buttonParamsJson": orjson.dumps(params).decode()}


def _action(name: str, prepare: Prepare, *rules: Rule) -> tuple[tuple[str, str], Any]:
    return ("POST", f"message/{name}"), partial(_send, prepare, COMMON + rules, name)


_MEDIA_TYPES = ("image", "document", "video", "audio")
_KEY = within("key", required("id", "remoteJid", "fromMe", of="key"))

ROUTES: Routes = dict(
    [
        _action("sendText", text, required("number", "text"), typed("string", "text")),
        _action("sendMedia", sending_media.media, required("number", "mediatype"), one_of("mediatype", _MEDIA_TYPES)),
        _action("sendWhatsAppAudio", sending_media.voice_note, required("number", "audio")),
        _action("sendSticker", sending_media.sticker, required("number", "sticker")),
        _action(
            "sendLocation",
            location,
            required("number", "latitude", "longitude", "name", "address"),
            typed("number", "latitude", "longitude"),
        ),
        _action("sendContact", contacts, required("number", "contact"), at_least("contact", 1)),
        _action("sendReaction", reaction, required("key", "reaction"), _KEY),
        _action("sendPoll", poll, required("number", "name", "selectableCount", "values"), at_least("values", 2)),
        _action("sendList", choice_list, required("number", "title", "footerText", "buttonText", "sections")),
        _action("sendButtons", buttons, required("number")),
        _action("sendStatus", status, required("type", "content")),
        _action("sendTemplate", template, required("number", "name", "language")),
    ]
)
