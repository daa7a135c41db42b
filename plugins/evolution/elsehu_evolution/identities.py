"""Who is it? From WhatsApp's addresses (JIDs) to identities (Evolution API reference, section 8).

Every version swaps phone and LID between the fields of a key in its own way, so only suffixes count here.
"""

import re
from functools import lru_cache
from typing import Any

from elsehu.plugin import Identity, IdentityKind, Instance, canonical, digits_of, to_e164

from .flavours import Json, Unreadable, text

USER = "@s.whatsapp.net"
SHORTEST_PHONE, LONGEST_PHONE = 5, 20
LONGEST_ID = 40
LONGEST_JID = 200
REMEMBERED = 8192
GROUP_ID = re.compile(r"[0-9]{5,30}(-[0-9]{1,20})?")
OTHER_SIDE = ("remoteJid", "remoteJidAlt", "senderPn", "previousRemoteJid", "senderLid")
AUTHOR = ("participant", "participantAlt", "participantPn", "participantLid")
NOBODY = ("@broadcast", "@newsletter", "@bot")
"""Chats that are no conversation: status updates, broadcast lists, channels, WhatsApp's own assistants."""


def identity(jid: Any) -> Identity | None:
    """Return the identity of one JID, its device part (`:7`) stripped; None for what is no address."""
    return _identity(jid) if type(jid) is str and len(jid) <= LONGEST_JID else None


@lru_cache(REMEMBERED)
def _identity(jid: str) -> Identity | None:
    """Return what a JID says. Remembered, for the same few come again and again, our own with every message."""
    local, _, domain = jid.partition("@")
    digits = local.partition(":")[0]
    if domain in ("s.whatsapp.net", "c.us"):
        return _phone(digits)
    if domain == "lid":
        return _lid(digits)
    if domain == "g.us":
        return Identity(IdentityKind.GROUP, local, jid) if GROUP_ID.fullmatch(local) else None
    return _phone(digits_of(local)) if not domain else None


def _phone(digits: str) -> Identity | None:
    if not (SHORTEST_PHONE <= len(digits) <= LONGEST_PHONE and digits.isascii() and digits.isdigit()):
        return None
    return Identity(IdentityKind.PHONE, canonical(digits), digits + USER)


def _lid(digits: str) -> Identity | None:
    if not (0 < len(digits) <= LONGEST_ID and digits.isascii() and digits.isdigit()):
        return None
    return Identity(IdentityKind.LID, digits, f"{digits}@lid")


def is_group(jid: Any) -> bool:
    """Whether a JID is a group's."""
    return type(jid) is str and jid.endswith("@g.us")


def concerns_us(jid: Any, instance: Instance) -> bool:
    """Whether a chat is one that Elsehu keeps: a person's, or a group's if the instance wants groups."""
    if type(jid) is not str:
        return True
    if jid.endswith("@g.us"):
        return bool(instance.settings.get("groups"))
    return not jid.endswith(NOBODY)


def other_side(key: Json, own: str | None = None) -> tuple[Identity, ...]:
    """Return the addresses of a chat's other side, the phone first.

    `own` is our own JID: some versions put the *sender's* phone into the key, which for a message that we
    sent is ours. Raises Unreadable where there is no address.
    """
    chat = key.get("remoteJid")
    found = _group(chat) if is_group(chat) else _best(_without_own(_addresses(key, OTHER_SIDE), own))
    if not found:
        raise Unreadable("no address of the chat that could be read")
    return found


def author(key: Json) -> tuple[Identity, ...]:
    """Return the addresses of who wrote in a group, the phone first; empty where the key does not say."""
    return _best(_addresses(key, AUTHOR))


def author_name(key: Json, push_name: Any) -> str | None:
    """Return what to call who wrote in a group: the profile's name, else the number."""
    name = text(push_name)
    if name:
        return name[:200]
    people = author(key)
    return to_e164(people[0].value) if people and people[0].kind is IdentityKind.PHONE else None


def pair(key: Json) -> tuple[Identity, ...]:
    """Return phone and LID of one person where a key shows both, else nothing."""
    found = () if is_group(key.get("remoteJid")) else _best(_addresses(key, OTHER_SIDE))
    return found if len(found) == 2 else ()


def _group(jid: Any) -> tuple[Identity, ...]:
    found = identity(jid)
    return (found,) if found else ()


def _addresses(key: Json, names: tuple[str, ...]) -> list[Identity]:
    found = (identity(key.get(name)) for name in names)
    return [one for one in found if one is not None and one.kind is not IdentityKind.GROUP]


def _without_own(found: list[Identity], own: str | None) -> list[Identity]:
    ours = identity(own) if own and len(found) > 1 else None
    others = [one for one in found if ours is None or one.value != ours.value]
    return others or found


def _best(found: list[Identity]) -> tuple[Identity, ...]:
    """Return the first phone and the first other address of `found`."""
    phones = [one for one in found if one.kind is IdentityKind.PHONE]
    others = [one for one in found if one.kind is not IdentityKind.PHONE]
    return (*phones[:1], *others[:1])
