"""What happens to customers themselves: other numbers, other user ids, other wishes."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from elsehu.plugin import ConsentChanged, Event, IdentityChanged

from .flavours import Json, Unreadable, mapping, moment, text
from .identities import identities
from .parts import Value

ADDRESS_CHANGES = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})
FROM_TO = re.compile(r"changed from (\S{1,200}) to (\S{1,200})\s*\Z")
"""How a system message tells the old address: at its end, for before it stands a name that anybody can choose."""
LONGEST_BODY = 2000
MARKETING = "marketing_messages"
WISHES = {"stop": False, "resume": True, "signup": True}


def changed_by_system(value: Value, message: Json, at: datetime) -> Iterator[Event]:
    """Read a `system` message: it says nothing to anybody, but moves addresses.

    That somebody's security code changed (`customer_identity_changed`, `user_identity_changed`) moves none.
    """
    system = mapping(message.get("system"))
    name = system.get("type")
    if type(name) is not str or name not in ADDRESS_CHANGES:
        return
    new = [system.get(field) for field in ("wa_id", "new_wa_id", "user_id", "parent_user_id")]
    old = [message.get(field) for field in ("from", "from_user_id", "from_parent_user_id")]
    yield _changed(value, [*old, system.get("customer"), *_told(system, new)], new, at)


def _told(system: Json, new: Sequence[Any]) -> Sequence[str]:
    """Return the old address where only the message's text tells it, and tells the new one as well."""
    told = FROM_TO.search((text(system.get("body")) or "")[-LONGEST_BODY:])
    return (told[1],) if told and told[2] in new else ()


def user_id_changed(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `user_id_update[]`. The `wa_id` beside does not say of which of the two ids it is the number."""
    update = mapping(part)
    changes = [mapping(update.get(name)) for name in ("user_id", "parent_user_id")]
    at = moment(update.get("timestamp"))
    if at is None:
        raise Unreadable("a changed user id without a time")
    yield _changed(value, [one.get("previous") for one in changes], [one.get("current") for one in changes], at)


def _changed(value: Value, old: Sequence[Any], new: Sequence[Any], at: datetime) -> IdentityChanged:
    """Return the change of each address whose successor is told: a number replaces a number, a user id a user id."""
    becomes = identities(new, value.scope)
    replaced = {(one.kind, one.scope) for one in becomes}
    candidates = identities([one for one in old if one not in new], value.scope)
    was = [one for one in candidates if (one.kind, one.scope) in replaced and one not in becomes]
    if not was:
        raise Unreadable("a changed address without the old or the new one")
    return IdentityChanged(was, becomes, at)


def consent_changed(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `user_preferences[]`: whether somebody wants marketing messages."""
    wish = mapping(part)
    word, category = wish.get("value"), wish.get("category")
    if category != MARKETING or type(word) is not str or word.lower() not in WISHES:
        return
    sender = identities((wish.get("wa_id"), wish.get("user_id"), wish.get("parent_user_id")), value.scope)
    at = moment(wish.get("timestamp"))
    if not sender or at is None:
        raise Unreadable("a wish of nobody, or of no time")
    yield ConsentChanged(sender, WISHES[word.lower()], at)
