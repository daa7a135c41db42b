"""How the number stands: connected, offline, or waiting to be paired."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from io import BytesIO

import segno

from elsehu.plugin import Instance, InstanceReport, InstanceStatus, Pairing, PluginContext, isoformat
from elsehu_sandbox.customer import script_lines
from elsehu_sandbox.phone import Line, phone_of
from elsehu_sandbox.settings import settings_of
from elsehu_sandbox.webhooks import Deliveries

CODE_LIVES = timedelta(seconds=60)


def status_of(context: PluginContext, instance: Instance) -> InstanceReport:
    """Return how the number stands now."""
    state = phone_of(context, instance).state()
    if settings_of(instance).require_pairing and not state.paired:
        detail = f"Waiting to be paired: ask for the QR code, then POST /api/sandbox/{instance.id}/scan."
        return InstanceReport(InstanceStatus.NEEDS_PAIRING, detail)
    if not state.is_online(context.now()):
        return InstanceReport(InstanceStatus.DISCONNECTED, "The sandbox phone is offline. Connect the number again.")
    return InstanceReport(InstanceStatus.CONNECTED)


def go_offline(context: PluginContext, instance: Instance, seconds: float | None) -> None:
    """Take the phone off the net: for `seconds`, or (None) until it is connected again."""
    with phone_of(context, instance).changing() as state:
        state.offline = True
        state.offline_until = None if seconds is None else context.now() + timedelta(seconds=seconds)


def log_out(context: PluginContext, instance: Instance) -> InstanceReport:
    """Take the phone off the net and forget the pairing."""
    with phone_of(context, instance).changing() as state:
        state.offline, state.offline_until, state.paired = True, None, False
    return InstanceReport(InstanceStatus.DISCONNECTED, "Logged out of the sandbox.")


def connect(context: PluginContext, instance: Instance, deliveries: Deliveries) -> InstanceReport:
    """Put the phone on the net; the first time, the script starts."""
    with phone_of(context, instance).changing() as state:
        state.offline, state.offline_until = False, None
    report = status_of(context, instance)
    if report.status is InstanceStatus.CONNECTED:
        deliveries.start(context, instance, _script(context, instance))
    return report


def _script(context: PluginContext, instance: Instance) -> list[Line]:
    phone = phone_of(context, instance)
    with phone.changing() as state:
        lines = [] if state.script_played else script_lines(settings_of(instance), context.now())
        phone.write(lines)
        state.script_played = True
    return lines


def scan(context: PluginContext, instance: Instance, deliveries: Deliveries) -> InstanceReport:
    """Link the phone, as if somebody had scanned the code; Elsehu learns of it by webhook."""
    with phone_of(context, instance).changing() as state:
        state.paired = True
    now = isoformat(context.now())
    deliveries.start(context, instance, [{"type": "instance", "status": "connected", "at": now}])
    return connect(context, instance, deliveries)


def pairing(context: PluginContext, instance: Instance) -> Pairing:
    """Return a code to scan, a new one each minute; `CONNECTED` where there is nothing to scan."""
    report = status_of(context, instance)
    if report.status is not InstanceStatus.NEEDS_PAIRING:
        return Pairing(InstanceStatus.CONNECTED)
    minute = int(context.now().timestamp() // CODE_LIVES.total_seconds())
    code = f"elsehu-sandbox:{instance.id}:{minute}"
    expires_at = datetime.fromtimestamp((minute + 1) * CODE_LIVES.total_seconds(), UTC)
    return Pairing(report.status, _png(code), code, f"SBX{minute % 100_000:05}", expires_at)


def _png(code: str) -> str:
    picture = BytesIO()
    segno.make(code, micro=False).save(picture, kind="png", scale=8, border=4)
    return "data:image/png;base64," + b64encode(picture.getvalue()).decode()
