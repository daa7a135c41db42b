"""What happens to a message that Elsehu sends: it reaches the phone, or a fault gets in its way."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from elsehu.plugin import (
    IdentityKind,
    Instance,
    InstanceSick,
    InstanceStatus,
    OutboundMedia,
    OutboundMessage,
    PluginContext,
    Rejected,
    Sent,
    digits_of,
    isoformat,
)
from elsehu_sandbox.connection import go_offline, status_of
from elsehu_sandbox.customer import answer_lines, new_id
from elsehu_sandbox.faults import Disconnect, SendingFault, Slow, TimeoutAfterAccept, take
from elsehu_sandbox.phone import Line, phone_of
from elsehu_sandbox.settings import SandboxSettings, settings_of
from elsehu_sandbox.webhooks import Deliveries


class Sending:
    """Sends messages to sandbox phones. Counts sends, for the settings' faults at every nth."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._count: Counter[UUID] = Counter()

    async def send(self, context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
        """Put `message` on the phone of its customer, unless a fault is due. Raises ProviderError."""
        _require_connection(context, instance)
        fault = self._next_fault(context, instance)
        if isinstance(fault, TimeoutAfterAccept):
            await self._accept(context, instance, message, lost=True, silent=fault.silent)
            await asyncio.sleep(fault.seconds)
        elif isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        elif isinstance(fault, Disconnect):
            go_offline(context, instance, fault.seconds)
        if fault and (error := fault.error()):
            raise error
        return await self._accept(context, instance, message)

    def _next_fault(self, context: PluginContext, instance: Instance) -> SendingFault | None:
        phone = phone_of(context, instance)
        if phone.state().faults:
            with phone.changing() as state:
                fault = take(state.faults, SendingFault)
            if fault:
                return fault
        self._count[instance.id] += 1
        for standing in settings_of(instance).faults:
            if isinstance(standing.fault, SendingFault) and self._count[instance.id] % standing.every == 0:
                return standing.fault
        return None

    async def _accept(
        self,
        context: PluginContext,
        instance: Instance,
        message: OutboundMessage,
        *,
        lost: bool = False,
        silent: bool = False,
    ) -> Sent:
        """Put the message on the phone, with all that follows from it; where the answer is `lost`, an echo tells."""
        settings, to = settings_of(instance), _customer(message)
        if "phone" in to and not settings.has(to["phone"]):
            raise Rejected("recipient_absent", "Nobody has this phone: it is among the `absent` ones of the number.")
        media = await _received(message.media) if message.media else None
        now = context.now()
        arrived = _arrived(message, to, media, now)
        follows = [*_statuses(settings, arrived, now), *answer_lines(settings, message, to, now)]
        if silent:
            follows = [{**line, "silent": True} for line in follows]
        phone_of(context, instance).write([arrived, *follows])
        if not silent:
            self._deliveries.start(context, instance, [arrived, *follows] if lost else follows)
        return Sent(arrived["id"], at=now)


def _require_connection(context: PluginContext, instance: Instance) -> None:
    report = status_of(context, instance)
    if report.status is not InstanceStatus.CONNECTED:
        raise InstanceSick(report.status, report.detail, report.status)


def _customer(message: OutboundMessage) -> Mapping[str, Any]:
    """Return the customer as our webhooks write one. Raises Rejected for an address that no phone has."""
    addresses = {one.kind: one.address for one in reversed(message.to)}
    person: dict[str, Any] = {}
    if phone := digits_of(addresses.get(IdentityKind.PHONE, "")):
        person["phone"] = "+" + phone
    if lid := addresses.get(IdentityKind.LID):
        person["lid"] = lid
    if not person:
        raise Rejected("recipient_invalid", "The contact has neither a phone number nor a LID. Add a phone number.")
    return person


async def _received(media: OutboundMedia) -> Mapping[str, Any]:
    """Read the file to its end, as a provider would, and return what arrived."""
    size, digest = 0, sha256()
    async for piece in media.stream():
        size += len(piece)
        digest.update(piece)
    return {
        "mimeType": media.mime_type,
        "fileName": media.file_name,
        "size": size,
        "sha256": digest.hexdigest(),
        "isVoice": media.is_voice,
    }


def _arrived(message: OutboundMessage, to: Mapping[str, Any], media: Mapping[str, Any] | None, now: datetime) -> Line:
    line = {
        "type": "message",
        "id": new_id(),
        "direction": "outbound",
        "clientRef": message.client_ref,
        "to": to,
        "kind": message.kind,
        "text": message.text,
        "media": media,
        "payload": dict(message.payload) or None,
        "replyTo": message.quoted.external_id if message.quoted else None,
        "at": isoformat(now),
    }
    return {name: value for name, value in line.items() if value is not None}


def _statuses(settings: SandboxSettings, arrived: Line, now: datetime) -> list[Line]:
    plan = {"delivered": settings.delays.delivered_seconds, "read": settings.delays.read_seconds}
    return [
        {
            "type": "status",
            "id": arrived["id"],
            "clientRef": arrived["clientRef"],
            "status": status,
            "at": isoformat(now + timedelta(seconds=delay)),
        }
        for status, delay in plan.items()
        if delay is not None
    ]
