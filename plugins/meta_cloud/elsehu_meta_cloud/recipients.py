"""To whom a message goes: the number where it is known, else the business-scoped user id (reference, section 14.2)."""

from collections.abc import Mapping, Sequence

from elsehu.plugin import Identity, IdentityKind, OutboundMessage, Rejected, digits_of

from .bodies.template import is_password
from .identities import PARENT_SCOPE


def recipient_of(message: OutboundMessage, scope: str) -> Mapping[str, str]:
    """Return the fields that address `message`. `scope` is that of the sending number's user ids.

    After these come an enterprise's, then those of before portfolios were told apart; what is known to be another
    portfolio's is nobody's, or somebody else's, in this one. Raises Rejected where no address is known, or not the one
    that is needed.
    """
    phone = _first(message.to, IdentityKind.PHONE)
    if phone is not None:
        return {"recipient_type": "individual", "to": number_of(phone)}
    if is_password(message.payload):
        detail = "One-time passwords need the customer's phone number. Ask for it, or add it to the contact."
        raise Rejected("number_needed", detail)
    valid = [one for scoped in (scope, PARENT_SCOPE, "") for one in message.to if one.scope == scoped]
    user_id = _first(valid, IdentityKind.BSUID)
    if user_id is not None:
        return {"recipient_type": "individual", "recipient": user_id.address}
    group = _first(message.to, IdentityKind.GROUP)
    if group is not None:
        return {"recipient_type": "group", "to": group.address}
    raise Rejected("no_address", "This contact has no address on WhatsApp. Add a phone number.")


def number_of(phone: Identity) -> str:
    """Return a number as WhatsApp spells it, with the `+` without which Meta may put our country code in front."""
    return "+" + (digits_of(phone.address.partition("@")[0]) or phone.value)


def _first(to: Sequence[Identity], kind: IdentityKind) -> Identity | None:
    return next((one for one in to if one.kind is kind), None)
