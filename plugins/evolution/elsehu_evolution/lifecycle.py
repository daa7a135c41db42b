"""A number's life at Evolution: connected, watched, logged out, deleted (sections 2 and 12)."""

from dataclasses import replace
from typing import Any

from elsehu.plugin import (
    Instance,
    InstanceReport,
    InstanceStatus,
    PluginContext,
    ProviderError,
    digits_of,
)

from .client import Server, server_of
from .creation import align, create, find, refuse_v1
from .flavours import Json, mapping, text
from .states import CLOSED, ENDINGS, connection, ending, owner

SCAN = "Scan the QR code with the phone of this number."
CHECKED = "checked_server"
"""Key of the kept state: the server whose version was found to be right."""

LOGGED_OUT = "The number was logged out by a person here."


async def connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Make the number ready: the instance there, its webhook and settings as they must be, a session started.

    Idempotent. Raises Rejected for an Evolution API v1, and whatever the server's refusals are.
    """
    server = server_of(context, instance)
    record = await find(server)
    if instance.state.get(CHECKED) != server.url:
        await refuse_v1(server)
    if record is None:
        record = await create(server, instance)
    else:
        await align(server, instance, record)
    state = await _state(server)
    if state == "close":
        report = _report(instance, record, *_started(await start(server, instance)))
    else:
        report = await _report_state(server, instance, state, record)
    return replace(report, state={**report.state, CHECKED: server.url})


async def status(context: PluginContext, instance: Instance) -> InstanceReport:
    """Ask how the number stands. Raises InstanceSick where its server does not know it."""
    server = server_of(context, instance)
    return await _report_state(server, instance, await _state(server))


async def disconnect(context: PluginContext, instance: Instance, *, forget: bool) -> InstanceReport:
    """Log the number out; with `forget` delete the instance, and all that Evolution stored of it."""
    server = server_of(context, instance)
    await _unless(server, "instance/logout", "instance_missing", "instance_disconnected")
    if forget:
        await _unless(server, "instance/delete", "instance_missing")
    return InstanceReport(InstanceStatus.DISCONNECTED, LOGGED_OUT, state={"token": None} if forget else {})


async def start(server: Server, instance: Instance) -> Json:
    """Start a session or look at the one there is. A number must be given now to get a pairing code as well."""
    phone = digits_of(instance.phone)
    return mapping(await server.ask("GET", "instance/connect", params={"number": phone} if phone else None))


async def _state(server: Server) -> str | None:
    """Return the state of the connection; None where the server does not know it yet."""
    said = mapping(mapping(await server.ask("GET", "instance/connectionState")).get("instance"))
    return text(said.get("state"))


def _started(answer: Json) -> tuple[InstanceStatus, str]:
    """Read the answer of starting a session: open, a code to scan, or nothing yet."""
    if mapping(answer.get("instance")).get("state") == "open":
        return InstanceStatus.CONNECTED, ""
    if answer.get("base64") or answer.get("code"):
        return InstanceStatus.NEEDS_PAIRING, SCAN
    return InstanceStatus.CONNECTING, ""


async def _report_state(
    server: Server, instance: Instance, state: str | None, record: Json | None = None
) -> InstanceReport:
    """Report a state as it is now. The record is asked for only where it tells more than the state."""
    if state == "connecting" and instance.status is InstanceStatus.NEEDS_PAIRING:
        return _report(instance, record, InstanceStatus.NEEDS_PAIRING, SCAN)
    if state in ("open", "close"):
        record = await find(server)
    found = _closed(mapping(record)) if state == "close" else connection(state, None)
    return _report(instance, record, *(found or (InstanceStatus.CONNECTING, "")))


def _closed(record: Json) -> tuple[InstanceStatus, str]:
    """Tell a number that was never linked, or has been unlinked, from one that only lost its connection."""
    reason = record.get("disconnectionReasonCode")
    if not record.get("ownerJid"):
        return InstanceStatus.NEEDS_PAIRING, SCAN
    return ending(reason) if reason in ENDINGS else (InstanceStatus.DISCONNECTED, CLOSED)


def _report(instance: Instance, record: Json | None, status: InstanceStatus, detail: str) -> InstanceReport:
    known = mapping(record)
    is_open = status is InstanceStatus.CONNECTED
    phone, mismatch = owner(instance, known.get("ownerJid")) if is_open else (None, "")
    return InstanceReport(status, detail or mismatch, phone, _kept(known, instance))


def _kept(record: Json, instance: Instance) -> dict[str, Any]:
    """Return what to remember: the name of the instance, and its token, which its webhooks show."""
    name = text(mapping(record.get("instance")).get("instanceName")) or text(record.get("name"))
    told = record.get("hash") or record.get("token")
    token = text(mapping(told).get("apikey")) or text(told)
    known = {"instance_name": name, "token": token}
    return {key: value for key, value in known.items() if value and instance.state.get(key) != value}


async def _unless(server: Server, action: str, *harmless: str) -> None:
    """Do what may have been done already; `harmless` are the codes of the errors that say so."""
    try:
        await server.ask("DELETE", action)
    except ProviderError as error:
        if error.code not in harmless:
            raise
