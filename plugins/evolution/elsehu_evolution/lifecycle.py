"""A number's life at Evolution: created, aligned, connected, watched, logged out, deleted (sections 2, 3, 12)."""

import re
from dataclasses import replace
from typing import Any

from elsehu.plugin import (
    Instance,
    InstanceReport,
    InstanceSick,
    InstanceStatus,
    PluginContext,
    ProviderError,
    Rejected,
    digits_of,
)

from .client import Server, server_of
from .flavours import Json, mapping, text
from .states import CLOSED, ENDINGS, connection, ending, owner
from .webhook import align_settings, align_webhook, settings_of, webhook_of

BAILEYS = "WHATSAPP-BAILEYS"
OLDEST_VERSION = 2
VERSION = re.compile(r"v?(\d+)\.")
SCAN = "Scan the QR code with the phone of this number."
CHECKED = "checked_server"
"""Key of the kept state: the server whose version was found to be right."""

LOGGED_OUT = "The number was logged out by a person here."


async def connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Make the number ready: the instance there, its webhook and settings as they must be, a session started.

    Idempotent. Raises Rejected for an Evolution API v1, and whatever the server's refusals are.
    """
    server = server_of(context, instance)
    record = await _find(server)
    if instance.state.get(CHECKED) != server.url:
        await _refuse_v1(server)
    if record is None:
        record = await _create(server, instance)
    else:
        await _align(server, instance, record)
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


async def _refuse_v1(server: Server) -> None:
    """Refuse servers of another generation, whose requests and webhooks have other shapes (section 13).

    Asked once a server: each time makes it ask WhatsApp (section 1). A proxy may hide the page that tells the
    version: then the routes themselves decide.
    """
    try:
        said = mapping(await server.ask_server("GET", "/"))
    except (InstanceSick, Rejected):
        return
    version = text(said.get("version")) or ""
    found = VERSION.match(version)
    if found and int(found[1]) < OLDEST_VERSION:
        raise Rejected(
            "provider_version_unsupported",
            f"This server is an Evolution API {version}. Elsehu speaks with 2.2 and later: update the server.",
            version[:60],
        )


async def _find(server: Server) -> Json | None:
    """Return the server's record of the instance, or None where there is none that our key opens."""
    try:
        found = await server.ask_server("GET", "/instance/fetchInstances", params={"instanceName": server.name})
    except InstanceSick as error:
        if error.code == "instance_missing":
            return None
        raise
    records = found if isinstance(found, list) else [found]
    return next((mapping(one) for one in records if mapping(one).get("name") == server.name), None)


async def _create(server: Server, instance: Instance) -> Json:
    """Create the instance with its webhook; one of that name that our key opens after all is taken over."""
    phone = digits_of(instance.phone)
    webhook = {name: value for name, value in webhook_of(instance).items() if name != "enabled"}
    body = {
        "instanceName": server.name,
        "integration": BAILEYS,
        "qrcode": False,
        **settings_of(instance),
        **({"number": phone} if phone else {}),
        "webhook": webhook,
    }
    try:
        return mapping(await server.ask_server("POST", "/instance/create", body))
    except InstanceSick as error:
        if error.code != "provider_key_refused":
            raise
        raise InstanceSick(
            "instance_missing",
            f"There is no instance {server.name!r} that this key opens, and only the global key creates one. Give "
            "the global key, or create the instance and give its name in credentials.instanceName.",
        ) from None
    except Rejected as error:
        if error.provider_code != "403":
            raise
        return await _take_over(server, instance)


async def _take_over(server: Server, instance: Instance) -> Json:
    record = await _find(server)
    if record is None:
        raise InstanceSick(
            "instance_name_taken",
            f"Evolution has an instance {server.name!r} that this key does not open. Give its key, or another "
            "name in credentials.instanceName.",
        )
    await _align(server, instance, record)
    return record


async def _align(server: Server, instance: Instance, record: Json) -> None:
    """Set webhook and settings where they differ; `base64` is read only when a session starts (section 3)."""
    was_without_base64 = await align_webhook(server, instance)
    await align_settings(server, instance)
    if was_without_base64 and record.get("connectionStatus") == "open":
        await server.ask("POST", "instance/restart")


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
        record = await _find(server)
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
