"""Handing one message to Meta (Meta Cloud API reference, sections 3 and 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import (
    Identity,
    IdentityKind,
    Instance,
    InstanceSick,
    Kind,
    OutboundMessage,
    PluginContext,
    Rejected,
    Sent,
)

from . import refusals
from .bodies import content_of
from .client import graph_of, number_id
from .failures import Json, maybe_sent
from .identities import identities, scope_of
from .recipients import recipient_of
from .uploads import Uploaded, forget, uploaded

LONGEST_REFERENCE = 512
MEDIA_ID_CODES = ("100", "131008", "131009", "131053")
"""The codes of refusals that a forgotten media id can bring."""


async def send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Send `message` once. Raises Retryable only if it certainly was not taken, OutcomeUnknown if nobody knows."""
    try:
        return await _send(context, instance, message)
    except InstanceSick as error:
        await refusals.remember(context, instance, error)
        raise


async def _send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Send; where Meta refuses a file's id that was remembered, upload the file and send once more."""
    envelope = _envelope(instance, message)
    file = await uploaded(context, instance, message.media) if message.media else None
    try:
        answer = await _post(context, instance, message, envelope, file)
    except Rejected as error:
        if message.media is None or not (file and file.is_remembered) or error.provider_code not in MEDIA_ID_CODES:
            raise
        await forget(context, instance, message.media)
        fresh = await uploaded(context, instance, message.media)
        answer = await _post(context, instance, message, envelope, fresh)
    return _sent(context, instance, message, answer)


async def _post(
    context: PluginContext, instance: Instance, message: OutboundMessage, envelope: Json, file: Uploaded | None
) -> Json:
    body = {**envelope, **content_of(message, file.id if file else None)}
    return await graph_of(context, instance).send(f"{number_id(instance)}/messages", body, message.attempt)


def _envelope(instance: Instance, message: OutboundMessage) -> Mapping[str, Any]:
    """Return what is around the content. Our id comes back in every status, even before the answer does."""
    quoted = message.quoted if message.kind is not Kind.REACTION else None
    context = {"context": {"message_id": quoted.external_id}} if quoted else {}
    return {
        "messaging_product": "whatsapp",
        **recipient_of(message, scope_of(instance)),
        **context,
        "biz_opaque_callback_data": message.client_ref[:LONGEST_REFERENCE],
    }


def _sent(context: PluginContext, instance: Instance, message: OutboundMessage, answer: Json) -> Sent:
    """Read the answer: the id, and the addresses that WhatsApp really uses for the one that was given.

    A template that Meta holds back for quality is taken too: statuses say what becomes of it.
    """
    taken, contact = _first(answer, "messages"), _first(answer, "contacts")
    external_id = taken.get("id")
    if not isinstance(external_id, str) or not external_id:
        raise maybe_sent("the answer has no id of a message")
    state = taken.get("message_status", "accepted")
    if state != "accepted":
        context.log("meta_message_held", instance=str(instance.id), message=external_id, state=str(state))
    is_group = all(one.kind is IdentityKind.GROUP for one in message.to)
    addresses = () if is_group else (contact.get("wa_id"), contact.get("user_id"))
    return Sent(external_id, identities=_learned(message.to, identities(addresses, scope_of(instance))))


def _learned(to: Sequence[Identity], answered: Sequence[Identity]) -> Sequence[Identity]:
    """Return the answer's addresses, with the customer's that they belong beside; nothing where all are known."""
    return () if all(one in to for one in answered) else [*to[:1], *answered]


def _first(answer: Json, name: str) -> Json:
    many = answer.get(name)
    one = many[0] if isinstance(many, list) and many else None
    return one if isinstance(one, dict) else {}
