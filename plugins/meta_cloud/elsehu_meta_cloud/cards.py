"""Contact cards that somebody shares: everything in them may be missing, even the name."""

from collections.abc import Mapping
from typing import Any

from elsehu.plugin import Kind

from .flavours import Json, listed, mapping, text
from .identities import shown
from .structured import Content

MOST_CARDS = 300
KEPT = ("emails", "urls", "birthday", "vcard")
NAME_PARTS = {
    "prefix": "prefix",
    "first_name": "firstName",
    "middle_name": "middleName",
    "last_name": "lastName",
    "suffix": "suffix",
}
ORGANIZATION = {"company": "organization", "department": "department", "title": "title"}


def contacts(value: Any) -> Content:
    """Read shared cards."""
    listed_cards = value if type(value) is list else [value]
    return Content(Kind.CONTACTS, None, {"contacts": [_card(mapping(one)) for one in listed_cards[:MOST_CARDS]]})


def _card(card: Json) -> Json:
    """Return a card in the shape in which one is sent; where there are several emails or URLs, with all of them."""
    name, organization = mapping(card.get("name")), mapping(card.get("org"))
    emails, urls = listed(card, "emails"), listed(card, "urls")
    parts = (text(name.get("first_name")), text(name.get("last_name")))
    found = {
        "name": shown(name.get("formatted_name")) or shown(" ".join(part for part in parts if part)) or "",
        "phones": [_phone(mapping(one)) for one in listed(card, "phones")],
        **_renamed(name, NAME_PARTS),
        **_renamed(organization, ORGANIZATION),
        "email": _first(emails, "email"),
        "url": _first(urls, "url"),
        "origin": text(card.get("origin")),
        "addresses": [_address(mapping(one)) for one in listed(card, "addresses")] or None,
        **{kept: card[kept] for kept in KEPT if card.get(kept)},
    }
    return {key: value for key, value in found.items() if value is not None}


def _renamed(values: Json, names: Mapping[str, str]) -> Json:
    return {ours: found for theirs, ours in names.items() if (found := text(values.get(theirs)))}


def _address(address: Json) -> Json:
    return {"countryCode" if name == "country_code" else name: value for name, value in address.items()}


def _phone(phone: Json) -> Json:
    wa_id = text(phone.get("wa_id"))
    number = text(phone.get("phone")) or (f"+{wa_id}" if wa_id else "")
    found = {"phone": number, "type": text(phone.get("type"))}
    return {**found, "waId": wa_id} if wa_id else found


def _first(values: Any, name: str) -> str | None:
    return next((found for one in values if (found := text(mapping(one).get(name)))), None)
