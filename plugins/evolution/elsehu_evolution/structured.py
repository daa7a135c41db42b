"""Messages whose content has a structure: places, cards, choices, polls, and what we have no kind for.

Each reader takes the leaf of a message and returns its `Content`. Payloads have the shape in which Elsehu takes
the same things for sending, and a `type` where one kind has several.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from elsehu.plugin import Kind, MediaContent

from .flavours import EMPTY, Json, Unreadable, decimal, mapping, text, whole

LONGEST_CARD = 64_000
VOTE = "poll_vote"
NEVER_OPEN = frozenset({"pinInChatMessage"})
CARD_PHONE = re.compile(r"^(?:([\w-]+)\.)?TEL([^:\r\n]*):([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
CARD_LABEL = re.compile(r"^([\w-]+)\.X-ABLabel:([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
CARD_NAME = re.compile(r"^FN[^:\r\n]*:([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
CARD_WHATSAPP = re.compile(r"waid=(\d+)")
FLOW_TYPES = {"quick_reply": "button_reply", "single_select": "list_reply", "menu_options": "list_reply"}
WORDS = ("caption", "text", "title", "name", "message", "contentText", "description", "groupName", "orderTitle")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds. `opens` is False for what is no turn in a conversation."""

    kind: Kind
    text: str | None = None
    payload: Json = field(default_factory=dict)
    media: MediaContent | None = None
    opens: bool = True


def location(value: Any) -> Content:
    """Read a place."""
    return Content(Kind.LOCATION, None, _place(mapping(value), is_live=False))


def live_location(value: Any) -> Content:
    """Read where somebody is now; further positions come as messages of their own."""
    leaf = mapping(value)
    return Content(Kind.LOCATION, text(leaf.get("caption")), _place(leaf, is_live=True))


def _place(leaf: Json, *, is_live: bool) -> Json:
    latitude, longitude = decimal(leaf.get("degreesLatitude")), decimal(leaf.get("degreesLongitude"))
    if latitude is None or longitude is None:
        raise Unreadable("a location without coordinates")
    names = {"name": text(leaf.get("name")), "address": text(leaf.get("address"))}
    return {"latitude": latitude, "longitude": longitude, **names, "isLive": is_live}


def contact(value: Any) -> Content:
    """Read one card."""
    return Content(Kind.CONTACTS, None, {"contacts": [_card(mapping(value))]})


def contacts(value: Any) -> Content:
    """Read several cards."""
    cards = mapping(value).get("contacts")
    read = [_card(mapping(card)) for card in cards] if type(cards) is list else []
    return Content(Kind.CONTACTS, None, {"contacts": read})


def _card(leaf: Json) -> Json:
    vcard = text(leaf.get("vcard")) or ""
    named = CARD_NAME.search(vcard)
    name = text(leaf.get("displayName")) or (named[1].strip() if named else "")
    labels = {found[1]: found[2].strip() for found in CARD_LABEL.finditer(vcard)}
    phones = [_card_phone(found[1], found[2], found[3], labels) for found in CARD_PHONE.finditer(vcard)]
    return {"name": name, "phones": phones, "vcard": vcard if len(vcard) <= LONGEST_CARD else None}


def _card_phone(item: str | None, parameters: str, number: str, labels: Mapping[str, str]) -> Json:
    on_whatsapp = CARD_WHATSAPP.search(parameters)
    phone = f"+{on_whatsapp[1]}" if on_whatsapp else number.strip()
    return {"phone": phone, "type": labels.get(item or "")}


def button_reply(value: Any) -> Content:
    """Read the press of a button."""
    leaf = mapping(value)
    return _reply("button_reply", leaf.get("selectedButtonId"), leaf.get("selectedDisplayText"))


def template_reply(value: Any) -> Content:
    """Read the press of a template's button."""
    leaf = mapping(value)
    return _reply("button_reply", leaf.get("selectedId"), leaf.get("selectedDisplayText"))


def list_reply(value: Any) -> Content:
    """Read the choice from a list."""
    leaf = mapping(value)
    chosen = mapping(leaf.get("singleSelectReply")).get("selectedRowId")
    return _reply("list_reply", chosen, leaf.get("title"), description=text(leaf.get("description")))


def flow_reply(value: Any) -> Content:
    """Read the answer to a native flow: a button, a choice, or a whole form in `data`."""
    leaf = mapping(value)
    flow = mapping(leaf.get("nativeFlowResponseMessage"))
    name, data = text(flow.get("name")), _json(flow.get("paramsJson"))
    kind = FLOW_TYPES.get(name or "", "flow_reply")
    form = {"name": name, "data": data} if kind == "flow_reply" else {}
    return _reply(kind, data.get("id"), mapping(leaf.get("body")).get("text"), **form)


def _reply(kind: str, chosen: Any, title: Any, **more: Any) -> Content:
    words = text(title) or text(chosen)
    return Content(Kind.INTERACTIVE, words, {"type": kind, "id": text(chosen), "title": text(title), **more})


def _json(value: Any) -> Json:
    try:
        return mapping(orjson.loads(value)) if type(value) is str else EMPTY
    except orjson.JSONDecodeError:
        return EMPTY


def poll(value: Any) -> Content:
    """Read a poll that somebody started; `selectable` 0 means any number of answers."""
    leaf = mapping(value)
    options = leaf.get("options")
    names = [mapping(option).get("optionName") for option in options] if type(options) is list else []
    question = text(leaf.get("name"))
    selectable = whole(leaf.get("selectableOptionsCount")) or 0
    shown = {"type": "poll", "name": question, "options": _texts(names), "selectable": selectable}
    return Content(Kind.INTERACTIVE, question, shown)


def poll_vote(value: Any) -> Content | None:
    """Read a vote; None where the server did not know the poll, so that only ciphertext came."""
    leaf = mapping(value)
    chosen = mapping(leaf.get("vote")).get("selectedOptions")
    if type(chosen) is not list:
        return None
    options = _texts(chosen)
    poll_id = text(mapping(leaf.get("pollCreationMessageKey")).get("id"))
    vote = {"type": VOTE, "pollId": poll_id, "options": options}
    return Content(Kind.INTERACTIVE, ", ".join(options) or None, vote, opens=False)


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if type(value) is str]


def unsupported(name: str, leaf: Json) -> Content:
    """Label what there is no kind for, with the words that it has."""
    label = CAMEL.sub(" ", name.removesuffix("Message"))[:60].capitalize()
    words = _words(leaf) or _words(mapping(leaf.get("body"))) or _words(mapping(leaf.get("product")))
    return Content(Kind.UNSUPPORTED, words, {"type": name[:60], "label": label}, opens=name not in NEVER_OPEN)


def _words(leaf: Json) -> str | None:
    return next((found for name in WORDS if (found := text(leaf.get(name)))), None)
