"""What happens to the number itself, and what its customers do beside writing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from elsehu.plugin import CustomerTyping, Event, InstanceChanged, InstanceStatus, Pairing

from .flavours import Json, mapping, text
from .identities import concerns_us, identity, is_group
from .parts import Part
from .states import CODES_RAN_OUT, connection, ending, owner
from .updates import linked

QR_SECONDS = 45
"""How long a QR code can be scanned, at most (Evolution API reference, section 2)."""

TYPING = {
    "composing": "composing",
    "recording": "recording",
    "paused": "paused",
    "available": "paused",
    "unavailable": "paused",
}
GONE = "The instance was deleted at Evolution. Connect it to create it again."


def connection_updated(part: Part) -> Iterator[Event]:
    """Read `connection.update`."""
    data = mapping(part.data)
    found = connection(data.get("state"), data.get("statusReason"))
    if found is None:
        return
    status, detail = found
    phone, mismatch = owner(part.instance, data.get("wuid")) if status is InstanceStatus.CONNECTED else (None, "")
    yield InstanceChanged(status, detail or mismatch, phone)


def session_closed(part: Part) -> Iterator[Event]:
    """Read `status.instance`, which tells why a session ended for good."""
    data = mapping(part.data)
    if data.get("status") == "closed":
        yield InstanceChanged(*ending(data.get("disconnectionReasonCode")))


def logged_out(_: Part) -> Iterator[Event]:
    """Read `logout.instance`; it has no data."""
    yield InstanceChanged(*ending(401))


def removed(_: Part) -> Iterator[Event]:
    """Read `remove.instance` and `instance.delete`."""
    yield InstanceChanged(InstanceStatus.DISCONNECTED, GONE)


def code_shown(part: Part) -> Iterator[Event]:
    """Read `qrcode.updated`: a new code, or that there will be no more. Codes are never kept in raw events."""
    if type(mapping(part.data).get("qrcode")) is dict:
        code = pairing(part, mapping(part.original.get("qrcode")))
        yield InstanceChanged(InstanceStatus.NEEDS_PAIRING, pairing=code)
    elif mapping(part.data).get("statusCode") is not None:
        yield InstanceChanged(InstanceStatus.NEEDS_PAIRING, CODES_RAN_OUT)


def pairing(part: Part, code: Json) -> Pairing | None:
    """Return what a person scans or types, or None where a raw event is replayed."""
    shown = {
        "base64": text(code.get("base64")),
        "code": text(code.get("code")),
        "pairing_code": text(code.get("pairingCode")),
    }
    if not any(shown.values()):
        return None
    expires_at = part.now() + timedelta(seconds=QR_SECONDS)
    return Pairing(InstanceStatus.NEEDS_PAIRING, **shown, expires_at=expires_at)


def typing(part: Part) -> Iterator[Event]:
    """Read `presence.update` of a person's chat."""
    data = mapping(part.data)
    if is_group(data.get("id")) or not concerns_us(data.get("id"), part.instance):
        return
    for jid, presence in mapping(data.get("presences")).items():
        person, state = identity(jid), _typing(mapping(presence).get("lastKnownPresence"))
        if person is not None and state is not None:
            yield CustomerTyping((person,), state)


def _typing(state: Any) -> str | None:
    return TYPING.get(state) if type(state) is str else None


def called(part: Part) -> Iterator[Event]:
    """Read `call`: only recorded, but it can show phone and LID of one person."""
    data = mapping(part.data)
    yield from linked({"remoteJid": data.get("from"), "senderPn": data.get("callerPn")})
