"""What all sends share: reaching the number, quoting, and handing the message over to WhatsApp."""

import time
from dataclasses import dataclass, field
from typing import Any

from .backend import Backend, Call
from .content import context_info
from .errors import bad_request, refusal
from .ids import api_message_id
from .inbound import receipt
from .jids import is_group, is_user
from .records import Delivered
from .webhooks import with_base64
from .world import Instance, Json, StoredMessage

NEVER_LOGGED_IN = "TypeError: Cannot read properties of undefined (reading 'id')"


@dataclass(slots=True)
class Outgoing:
    """A message ready to be sent: how WhatsApp writes it, and what the person gets to see."""

    kind: str
    content: Json
    message_type: str
    message: Json
    context: Json | None = None
    quoted: str | None = None
    key_extra: Json = field(default_factory=dict)
    messages_own_context: bool = True
    """Repeat the context inside the message, as all but texts and a few others have it."""


def reach(call: Call, jid: str, number: str) -> None:
    """Check number and connection as a send does; the answers of a lost connection have three forms."""
    world, instance = call.backend.world, call.instance
    connected = instance.state == "open"
    if is_user(jid) and jid not in world.checked:
        if not connected:
            raise refusal(500, "Connection Closed")
        if not world.exists(jid):
            raise bad_request({"jid": jid, "exists": False, "number": number})
        world.checked.add(jid)
    must_be_open(call)
    if is_group(jid) and not world.exists(jid):
        raise bad_request("[object Object]")


def must_be_open(call: Call) -> None:
    """Refuse what needs a connection when there is none."""
    if call.instance.state != "open":
        raise bad_request("Error: Connection Closed" if call.instance.owner_jid else NEVER_LOGGED_IN)


def quote(call: Call) -> Json:
    """Return the context of a reply: of a stored message, of one given whole, or nothing if neither."""
    quoted = call.body.get("quoted")
    if not isinstance(quoted, dict):
        return {}
    key = quoted.get("key", {})
    known = call.instance.by_id.get(key.get("id"))
    if known:
        key, message = known.key, known.data["message"]
    elif "message" in quoted:
        message = quoted["message"]
    else:
        return {}
    author = call.instance.owner_jid if key.get("fromMe") else key.get("remoteJid")
    return {"participant": author, "stanzaId": key["id"], "quotedMessage": message}


def context(call: Call, jid: str, *, attributions: bool = False, quotes: bool = True) -> Json | None:
    """Return the ``contextInfo`` of an outgoing message; groups have one only for mentions and quotes."""
    info = _mentions(call, jid) if is_group(jid) else context_info(attributions=attributions)
    if quotes:
        info |= quote(call)
    return info or None


def hand_over(backend: Backend, instance: Instance, jid: str, outgoing: Outgoing) -> Json:
    """Deliver to the phone, store the row, tell the webhook; return the answer's body."""
    now = time.time()
    key: Json = {"remoteJid": jid, "fromMe": True, "id": api_message_id()} | outgoing.key_extra
    data: Json = {"key": key, "pushName": "Você", "status": "PENDING", "message": _message(outgoing)}
    if outgoing.context and outgoing.message_type != "pollCreationMessageV3":
        data["contextInfo"] = outgoing.context
    data["messageType"] = outgoing.message_type
    data["messageTimestamp"] = int(now)
    data["instanceId"] = instance.id
    data["source"] = "web"
    instance.store(StoredMessage(data, key))
    arrived = Delivered(
        instance.name, jid, outgoing.kind, outgoing.content, key["id"], now, outgoing.quoted or _quoted(outgoing)
    )
    backend.world.delivered.append(arrived)
    told = with_base64(backend.world.cdn, instance, data)
    backend.fire(instance, "send.message", told)
    _tick_by_itself(backend, instance, key["id"])
    return told


def _message(outgoing: Outgoing) -> Json:
    if not (outgoing.context and outgoing.messages_own_context):
        return outgoing.message
    inner = "messageContextInfo" if "messageContextInfo" in outgoing.message else outgoing.message_type
    own: dict[str, Any] = outgoing.message[inner] | {"contextInfo": outgoing.context}
    return outgoing.message | {inner: own}


def _quoted(outgoing: Outgoing) -> str | None:
    return outgoing.context.get("stanzaId") if outgoing.context else None


def _mentions(call: Call, jid: str) -> Json:
    if call.body.get("mentionsEveryOne"):
        group = call.backend.world.groups.get(jid, {})
        return {"mentionedJid": [person["id"] for person in group.get("participants", [])]}
    mentioned = call.body.get("mentioned")
    return {"mentionedJid": [f"{number}@s.whatsapp.net" for number in mentioned]} if mentioned else {}


def _tick_by_itself(backend: Backend, instance: Instance, message_id: str) -> None:
    delivered, read = backend.options.deliver_after, backend.options.read_after
    if delivered is None:
        return
    backend.later(0, receipt, backend, instance, message_id, "SERVER_ACK")
    backend.later(delivered, receipt, backend, instance, message_id, "DELIVERY_ACK")
    if read is not None:
        backend.later(max(read, delivered), receipt, backend, instance, message_id, "READ")
