"""Addresses: how the server turns what a caller wrote into what WhatsApp understands."""

import re

USER = "@s.whatsapp.net"
LID = "@lid"
GROUP = "@g.us"
SHORTEST_NUMBER = 8


def user_jid(phone: str) -> str:
    """Return the JID of a phone number, its digits unchanged."""
    return re.sub(r"\D", "", phone) + USER


def lid_jid(lid: str) -> str:
    """Return the JID of an opaque id, given bare or whole."""
    return lid if lid.endswith(LID) else lid + LID


def is_group(jid: str) -> bool:
    """Tell groups from people."""
    return jid.endswith(GROUP)


def is_user(jid: str) -> bool:
    """Tell whether this address is a phone number."""
    return jid.endswith(USER)


def digits(jid: str) -> str:
    """Return what stands before the ``@``, without a device part."""
    return jid.partition("@")[0].partition(":")[0]


def address(number: str) -> str:
    """Turn the ``number`` of a request into a JID (reference, section 4).

    Whole JIDs stay; anything else loses all but its digits, 18 of which or more mean a group. Brazilian
    numbers of 13 digits with area code 31 or above lose the ninth digit, Mexican and Argentinian ones of 13
    digits their third.
    """
    if number.endswith((USER, LID, GROUP, "@broadcast")):
        return digits(number) + number[number.index("@") :]
    plain = re.sub(r"\D", "", number)
    if len(plain) >= 18:
        return plain + GROUP
    return _rewritten(plain) + USER


def _rewritten(plain: str) -> str:
    if len(plain) != 13:
        return plain
    if plain.startswith("55") and int(plain[2:4]) >= 31:
        return plain[:4] + plain[5:]
    if plain.startswith(("52", "54")):
        return plain[:2] + plain[3:]
    return plain
