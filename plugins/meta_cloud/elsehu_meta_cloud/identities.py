"""Who is it? From phone numbers, business-scoped user ids and groups to identities (reference, section 14)."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from elsehu.plugin import Identity, IdentityKind, Instance, canonical, digits_of, to_e164

from .flavours import EMPTY, Json, listed, mapping, text

SHORTEST_PHONE, LONGEST_PHONE = 5, 20
LONGEST_ADDRESS = 200
LONGEST_NAME = 200
REMEMBERED = 8192
USER_ID = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[!-~]+")
NUMBER = re.compile(r"[+0-9 ().-]+")
ENTERPRISE = ".ENT."
"""What marks the id that a person has at all portfolios of one enterprise."""
PARENT_SCOPE = "parent"
"""A person has one user id at a portfolio and one at the enterprise above it: two scopes, for both are theirs."""
MARKS = dict.fromkeys(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,
        0x200B,
        *range(0x200E, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x206A),
        0xFEFF,
    )
)
"""Control characters and marks of writing direction, with which a name could reorder what is around it."""


def scope_of(instance: Instance) -> str:
    """Return the scope of an instance's user ids, which are of a business portfolio.

    No webhook names the portfolio, and a company has one as a rule, often with several accounts: so all instances
    share one scope, but for those whose setting `portfolio_id` says otherwise.
    """
    return text(instance.settings.get("portfolio_id")) or ""


@lru_cache(REMEMBERED)
def _identity(address: str, scope: str) -> Identity | None:
    """Return what an address says: with a letter it is a user id, wherever it stands."""
    if USER_ID.fullmatch(address):
        return Identity(IdentityKind.BSUID, address, address, PARENT_SCOPE if ENTERPRISE in address else scope)
    digits = digits_of(address)
    is_phone = SHORTEST_PHONE <= len(digits) <= LONGEST_PHONE and NUMBER.fullmatch(address)
    return Identity(IdentityKind.PHONE, canonical(digits), digits) if is_phone else None


def identities(addresses: Iterable[Any], scope: str) -> tuple[Identity, ...]:
    """Return what `addresses` say: the first phone, the first BSUID and the first parent BSUID, in this order."""
    phone = bsuid = parent = None
    for address in addresses:
        is_one = type(address) is str and 0 < len(address) <= LONGEST_ADDRESS
        found = _identity(address, scope) if is_one else None
        if found is None:
            continue
        if found.kind is IdentityKind.PHONE:
            phone = phone or found
        elif found.scope == PARENT_SCOPE:
            parent = parent or found
        else:
            bsuid = bsuid or found
    return tuple([one for one in (phone, bsuid, parent) if one is not None])


def group(group_id: Any) -> Identity | None:
    """Return the identity of a group."""
    is_one = type(group_id) is str and 0 < len(group_id) <= LONGEST_ADDRESS
    return Identity(IdentityKind.GROUP, group_id, group_id) if is_one else None


class Cards:
    """The `contacts[]` beside messages and statuses, found by address: never by place, they may be several."""

    __slots__ = ("_by_address",)

    def __init__(self, value: Json) -> None:
        self._by_address: dict[str, Json] = {}
        for one in listed(value, "contacts"):
            card = mapping(one)
            for address in (text(card.get("wa_id")), text(card.get("user_id"))):
                if address:
                    self._by_address.setdefault(address, card)

    def of(self, *addresses: Any) -> Json:
        """Return the card of who has one of `addresses`, an empty one where there is none."""
        for address in addresses:
            if type(address) is str and address in self._by_address:
                return self._by_address[address]
        return EMPTY


def person(phone: Any, user_id: Any, parent_id: Any, card: Json, scope: str) -> tuple[Identity, ...]:
    """Return the addresses of one person, best first; `card` adds those that are not given."""
    return identities(
        (phone, user_id, parent_id, card.get("wa_id"), card.get("user_id"), card.get("parent_user_id")), scope
    )


def profile_name(card: Json) -> str | None:
    """Return the name that a person gave themselves, fit to be shown among others."""
    return shown(mapping(card.get("profile")).get("name"))


def username(card: Json) -> str | None:
    """Return the name under which a person can be found; it may change any time."""
    name = shown(mapping(card.get("profile")).get("username"))
    return name.removeprefix("@") or None if name else None


def author_name(card: Json, people: Sequence[Identity]) -> str | None:
    """Return what to call who wrote in a group: the profile's name, else the number."""
    is_known = bool(people) and people[0].kind is IdentityKind.PHONE
    return profile_name(card) or (to_e164(people[0].value) if is_known else None)


def shown(name: Any) -> str | None:
    """Return a name without control and direction marks; None where nothing is left."""
    if type(name) is not str:
        return None
    if not name.isprintable():
        name = name.translate(MARKS)
    return name.strip()[:LONGEST_NAME] or None
