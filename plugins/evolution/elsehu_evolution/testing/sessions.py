"""The life of a connection: QR codes, scans, drops, ends (reference, sections 2 and 7.4)."""

import asyncio
import base64
import secrets
import time

import orjson

from .backend import Backend
from .ids import iso, iso_now
from .jids import user_jid
from .samples import dots
from .world import Instance, Json, QrSession

PAIRING_CODE = "ABCD1234"
ENDINGS = {401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 406: "Not Acceptable"}
"""Reasons after which the server does not come back by itself."""


def begin(backend: Backend, instance: Instance, number: str | None = None) -> None:
    """Start a session that shows QR codes, and a pairing code if a number is given."""
    instance.sender = None
    instance.base64_active = bool(instance.webhook and instance.webhook.base64)
    instance.qr = QrSession(pairing_code=PAIRING_CODE if number else None)
    _change(backend, instance, "connecting", 200)
    if backend.world.reachable:
        show_code(backend, instance)
    else:
        instance.state = "close"


def show_code(backend: Backend, instance: Instance) -> None:
    """Show the next QR code, or give up when the limit is reached; the rotation goes on by itself."""
    session = instance.qr
    if session is None:
        return
    if session.count >= backend.options.qr_limit:
        give_up(backend, instance)
        return
    session.count += 1
    session.code = _new_code()
    backend.fire(instance, "qrcode.updated", {"qrcode": {"instance": instance.name} | _code(session)})
    backend.later(backend.options.qr_rotation, _rotate, backend, instance, session, session.count)


def give_up(backend: Backend, instance: Instance) -> None:
    """End a session that nobody scanned."""
    limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
    backend.fire(instance, "qrcode.updated", limit)
    instance.qr = None
    instance.state = "close"
    refused = {"instance": instance.name, "state": "refused", "statusReason": 428}
    owner = {"wuid": instance.owner_jid} if instance.owner_jid else {}
    backend.fire(instance, "connection.update", refused | owner | {"profilePictureUrl": None})


def shown_code(instance: Instance) -> Json:
    """Return the QR fields of an answer; only a count of 0 when there is no code yet."""
    session = instance.qr
    if session is None or not session.count:
        return {"count": 0}
    return _code(session) | {"count": session.count}


def scan(backend: Backend, instance: Instance, phone: str, profile_name: str) -> None:
    """Let a phone scan the code: the session closes once with 515 and soon comes back open."""
    link(instance, phone, profile_name)
    restarted(backend, instance)


def link(instance: Instance, phone: str, profile_name: str) -> None:
    """Make an instance belong to a phone."""
    instance.qr = None
    instance.linked = True
    instance.owner_jid = user_jid(phone)
    instance.profile_name = profile_name


def opened(backend: Backend, instance: Instance) -> None:
    """Come (back) online and take what waited meanwhile."""
    instance.base64_active = bool(instance.webhook and instance.webhook.base64)
    instance.sender = instance.owner_jid
    instance.state = "open"
    instance.updated_at = iso_now()
    profile = {"wuid": instance.owner_jid, "profileName": instance.profile_name, "profilePictureUrl": None}
    data = {"instance": instance.name, **profile, "state": "open", "statusReason": 200}
    backend.fire(instance, "connection.update", data)
    backend.pump(instance)


def dropped(backend: Backend, instance: Instance) -> None:
    """Lose the connection; nothing is said but that it is connecting."""
    _change(backend, instance, "connecting", 200)


def restarted(backend: Backend, instance: Instance) -> None:
    """Drop and soon come back, as after ``instance/restart`` or a restart of the server."""
    dropped(backend, instance)
    backend.later(backend.options.reconnect_wait, _reopen, backend, instance)


def ended(backend: Backend, instance: Instance, reason: int, message: str) -> None:
    """End the session for good: a new scan is needed, and what WhatsApp held is not ours any more."""
    now = time.time()
    payload = {"statusCode": reason, "error": ENDINGS[reason], "message": message}
    output = {"statusCode": reason, "payload": payload, "headers": {}}
    error = {"data": None, "isBoom": True, "isServer": False, "output": output}
    instance.disconnection = {
        "disconnectionAt": iso(now),
        "disconnectionReasonCode": reason,
        "disconnectionObject": orjson.dumps({"error": error, "date": iso(now)}).decode(),
    }
    instance.linked = False
    instance.qr = None
    instance.backlog.clear()
    status = {"instance": instance.name, "status": "closed"} | instance.disconnection
    backend.fire(instance, "status.instance", status)
    backend.fire(instance, "logout.instance", None)
    _change(backend, instance, "close", reason)


def logged_out(backend: Backend, instance: Instance) -> None:
    """End the session because a person or a call of ours unlinked the device; both look the same."""
    ended(backend, instance, 401, f"Log out instance: {instance.name}")


async def storm(backend: Backend, instance: Instance, events: int, per_second: float) -> None:
    """Flap as the server does while WhatsApp is out of reach, then come back if a phone is linked."""
    for index in range(events):
        instance.state = "close" if index % 2 else "connecting"
        data = {"instance": instance.name, "state": "connecting", "statusReason": 200}
        backend.fire(instance, "connection.update", data)
        await asyncio.sleep(1 / per_second)
    if instance.linked:
        opened(backend, instance)


def _reopen(backend: Backend, instance: Instance) -> None:
    if instance.linked and instance.state == "connecting" and backend.up:
        opened(backend, instance)


def _rotate(backend: Backend, instance: Instance, session: QrSession, count: int) -> None:
    if instance.qr is session and session.count == count:
        show_code(backend, instance)


def _change(backend: Backend, instance: Instance, state: str, reason: int) -> None:
    instance.state = state
    instance.updated_at = iso_now()
    data = {"instance": instance.name, "state": state, "statusReason": reason}
    backend.fire(instance, "connection.update", data)


def _code(session: QrSession) -> Json:
    return {"pairingCode": session.pairing_code, "code": session.code, "base64": _data_uri(dots(session.code))}


def _new_code() -> str:
    parts = (base64.b64encode(secrets.token_bytes(size)).decode() for size in (99, 32, 32, 32))
    return "2@" + ",".join(parts)


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
