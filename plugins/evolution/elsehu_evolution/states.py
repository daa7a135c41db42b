"""Evolution's words for the states of connections and messages, in Elsehu's words."""

from typing import Any

from elsehu.plugin import Instance, InstanceStatus, Status, canonical, to_e164

from .flavours import whole
from .identities import identity

STATUSES: dict[str | int, Status] = {
    "ERROR": Status.FAILED,
    "FAILED": Status.FAILED,
    "SERVER_ACK": Status.SENT,
    "SENT": Status.SENT,
    "DELIVERY_ACK": Status.DELIVERED,
    "DELIVERED": Status.DELIVERED,
    "READ": Status.READ,
    "PLAYED": Status.PLAYED,
    0: Status.FAILED,
    2: Status.SENT,
    3: Status.DELIVERED,
    4: Status.READ,
    5: Status.PLAYED,
}
"""Baileys' words, the BUSINESS channel's, and the protocol's numbers. PENDING says nothing: the answer did."""

PROGRESS = (Status.SENT, Status.FAILED, Status.DELIVERED, Status.READ, Status.PLAYED)
"""ERROR wins over what only left, never over what arrived (reference, section 7.3)."""

SCAN_AGAIN = "Scan a new QR code to connect it again."
ENDINGS: dict[int, tuple[InstanceStatus, str]] = {
    401: (InstanceStatus.NEEDS_PAIRING, f"The number was logged out, here or on the phone. {SCAN_AGAIN}"),
    402: (InstanceStatus.NEEDS_PAIRING, f"WhatsApp ended the session (402). {SCAN_AGAIN}"),
    403: (InstanceStatus.BLOCKED, "WhatsApp refuses this number (403): it may be banned. Look at the phone."),
    406: (InstanceStatus.NEEDS_PAIRING, f"WhatsApp ended the session (406). {SCAN_AGAIN}"),
}
CODES_RAN_OUT = "Nobody scanned the QR code in time. Ask for a new one."
CLOSED = "The number is not connected at Evolution. Connect it."


def message_status(word: Any) -> Status | None:
    """Return how far a message has come, or None for words that do not say."""
    return STATUSES.get(word) if type(word) in (str, int) else None


def furthest(words: list[Any]) -> Status | None:
    """Return how far a message has come by all that was ever said of it, in any order."""
    said = {message_status(word) for word in words}
    return next((status for status in reversed(PROGRESS) if status in said), None)


def connection(state: Any, reason: Any) -> tuple[InstanceStatus, str] | None:
    """Return what a connection's state means and what to do, or None for words that do not say.

    A connection that Evolution restores by itself is never `close`, only `connecting` (section 7.4).
    """
    if state == "open":
        return InstanceStatus.CONNECTED, ""
    if state == "connecting":
        return InstanceStatus.CONNECTING, ""
    if state == "refused":
        return InstanceStatus.NEEDS_PAIRING, CODES_RAN_OUT
    return ending(reason) if state == "close" else None


def ending(reason: Any) -> tuple[InstanceStatus, str]:
    """Return what the end of a session for `reason` (a number as of HTTP) means and what to do."""
    code = whole(reason)
    return ENDINGS.get(code or 0) or (InstanceStatus.DISCONNECTED, CLOSED)


def owner(instance: Instance, jid: Any) -> tuple[str | None, str]:
    """Return the phone that is linked, and a sentence where it is not the one that was configured.

    Evolution takes a scan by any phone without a word (section 2), so the configured number is not replaced.
    """
    linked = identity(jid)
    if linked is None:
        return None, ""
    if not instance.phone or canonical(instance.phone) == linked.value:
        return linked.value, ""
    return None, (
        f"Connected with {to_e164(linked.value)}, not with the number of this instance. "
        "Disconnect it and scan with the right phone, or correct the instance's number."
    )
