"""What a person scans or types to link a phone (Evolution API reference, sections 2 and 12)."""

import asyncio
from datetime import timedelta

from elsehu.plugin import Instance, InstanceStatus, Pairing, PluginContext

from .client import server_of
from .flavours import Json, mapping, text
from .instance_events import QR_SECONDS
from .lifecycle import start

TRIES = 4
PAUSE = 1.5
"""Seconds between looks while no code has come yet; starting a session takes Evolution two by itself."""


async def qrcode(context: PluginContext, instance: Instance) -> Pairing:
    """Return the code that is shown now, starting a session if there is none. `CONNECTED` if that is done.

    A number that is at Evolution but not reachable by WhatsApp gives `CONNECTING` without a code: ask again.
    Raises Retryable or InstanceSick.
    """
    server = server_of(context, instance)
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(PAUSE)
        answer = await start(server, instance)
        found = _read(answer, context)
        if found is not None:
            return found
    return Pairing(InstanceStatus.CONNECTING)


def _read(answer: Json, context: PluginContext) -> Pairing | None:
    if mapping(answer.get("instance")).get("state") == "open":
        return Pairing(InstanceStatus.CONNECTED)
    image, code = text(answer.get("base64")), text(answer.get("code"))
    if not (image or code):
        return None
    expires_at = context.now() + timedelta(seconds=QR_SECONDS)
    typed = text(answer.get("pairingCode"))
    return Pairing(InstanceStatus.NEEDS_PAIRING, image, code, typed, expires_at)
