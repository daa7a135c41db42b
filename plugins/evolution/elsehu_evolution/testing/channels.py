"""The two other channels: EVOLUTION, handy for tests without a phone, and BUSINESS (sections 10 and 11)."""

import time
from typing import Any
from uuid import uuid4

from .backend import Answer, Backend, Call
from .errors import ApiError, bad_request, refusal
from .records import Delivered
from .sending_media import fetch
from .world import BUSINESS, EVOLUTION, Contact, Instance, Json, StoredMessage

UNAVAILABLE = "Method not available on Evolution Channel"


async def send(call: Call, action: str) -> Answer:
    """Send what these channels can: texts, media and buttons; refuse the rest."""
    if action == "sendText":
        text = call.body["text"]
        return _sent(call, "text", {"text": text}, {"conversation": text}, "conversation")
    if call.instance.integration == BUSINESS:
        raise bad_request(UNAVAILABLE)
    if action == "sendMedia":
        return await _send_media(call)
    if action == "sendButtons":
        return _sent(call, "buttons", dict(call.body), {"conversation": call.body.get("title", "")}, "conversation")
    if action == "sendWhatsAppAudio":
        raise refusal(500, "File or buffer is undefined.")
    raise bad_request(UNAVAILABLE)


def unavailable(action: str) -> ApiError:
    """Make the refusal of an action outside ``/message``; one of them words it in its own shape."""
    if action == "whatsappNumbers":
        return ApiError(400, {"status": 400, "error": "Bad Request", "message": [UNAVAILABLE]})
    return bad_request(UNAVAILABLE)


def take_in(backend: Backend, posted: Json) -> Json | None:
    """Take in what anybody may post to ``/webhook/evolution``; None for an unknown number."""
    instance = next(
        (
            known
            for known in backend.world.instances.values()
            if known.integration == EVOLUTION and known.number == posted.get("numberId")
        ),
        None,
    )
    if instance is None:
        return None
    key = {"id": str(uuid4())} | posted["key"]
    data: Json = {
        "key": key,
        "pushName": posted.get("pushName"),
        "message": posted["message"],
        "messageType": posted["messageType"],
        "messageTimestamp": int(time.time()),
        "source": "unknown",
        "instanceId": instance.id,
    }
    instance.store(StoredMessage(data, key))
    backend.fire(instance, "messages.upsert", data)
    _meet(backend, instance, key["remoteJid"], posted.get("pushName"))
    return {"status": "success"}


async def _send_media(call: Call) -> Answer:
    kind = call.body["mediatype"]
    source = call.body.get("media")
    await fetch(source)
    if kind == "document" and "fileName" not in call.body:
        raise bad_request("For base64 the file name must be informed.")
    content = {"base64": source, "caption": call.body.get("caption")}
    return _sent(call, kind, content, {"mediaUrl": None}, f"{kind}Message")


def _sent(call: Call, kind: str, content: Json, message: Json, message_type: str) -> Answer:
    instance, now = call.instance, time.time()
    data = _channel_data(instance, call.body["number"], message, message_type)
    instance.store(StoredMessage(data, data["key"]))
    arrived = Delivered(instance.name, data["key"]["remoteJid"], kind, content, data["key"]["id"], now)
    call.backend.world.delivered.append(arrived)
    call.backend.fire(instance, "send.message", data)
    return 201, data


def _channel_data(instance: Instance, number: str, message: Json, message_type: str) -> Json:
    key: Json = {"fromMe": True, "id": str(uuid4()), "remoteJid": number}
    beside: dict[str, Any] = {}
    if instance.integration == BUSINESS:
        key |= {"id": f"wamid.{uuid4().hex}", "remoteJid": f"{number}@s.whatsapp.net"}
        beside = {"status": "PENDING"}
    return {
        "key": key,
        "message": message,
        "messageType": message_type,
        "messageTimestamp": int(time.time()),
        "source": "unknown",
        "instanceId": instance.id,
        **beside,
    }


def _meet(backend: Backend, instance: Instance, jid: str, name: str | None) -> None:
    known = jid in instance.contacts
    instance.contacts[jid] = Contact(jid, name)
    backend.fire(instance, "contacts.upsert", {"remoteJid": jid, "pushName": name, "instanceId": instance.id})
    event = "chats.update" if known else "chats.upsert"
    backend.fire(instance, event, {"remoteJid": jid, "instanceId": instance.id})
