"""Edits and deletions of what was sent, answered in the protobuf-JSON flavour (reference, section 4)."""

import time
from typing import Any

from .backend import Answer, Call, Routes
from .content import media_of, text_of
from .errors import bad_request
from .ids import api_message_id
from .inbound import mark_deleted, mark_edited
from .outbox import must_be_open
from .records import Delivered
from .schemas import check, required, worded
from .world import Json, StoredMessage


async def edit(call: Call) -> Answer:
    """Edit a text or caption of ours."""
    body = call.body
    check(body, required("number", "key", "text"), worded("string", "number", "Invalid format"))
    known = call.instance.by_id.get(body["key"]["id"])
    if known is None or text_of(known.data["message"]) is None:
        raise bad_request("Message not compatible")
    must_be_open(call)
    now = time.time()
    edited = {"extendedTextMessage": {"text": body["text"]}}
    mark_edited(call.instance, known, _rewritten(known, body["text"]), now)
    _show(call, known.key["remoteJid"], "edit", {"text": body["text"], "id": known.id})
    told = {"key": body["key"], "editedMessage": edited, "timestampMs": int(now * 1000), "type": 14}
    call.backend.fire(call.instance, "send.message.update", told)
    protocol = {
        "key": body["key"],
        "type": "MESSAGE_EDIT",
        "editedMessage": edited,
        "timestampMs": str(int(now * 1000)),
    }
    return 200, _envelope(known.key["remoteJid"], protocol, now)


async def delete(call: Call) -> Answer:
    """Delete a message for everyone; the webhook is told the stored row."""
    body = call.body
    check(body, required("id", "remoteJid", "fromMe"))
    must_be_open(call)
    known = call.instance.by_id.get(body["id"])
    _show(call, body["remoteJid"], "delete", {"id": body["id"]})
    if known:
        known.key = known.key | {"deleted": True}
        mark_deleted(call.instance, known)
        call.backend.fire(call.instance, "messages.delete", _deleted_row(known))
    key = {"remoteJid": body["remoteJid"], "fromMe": body["fromMe"], "id": body["id"]}
    return 201, _envelope(body["remoteJid"], {"key": key, "type": "REVOKE"}, time.time())


def _rewritten(known: StoredMessage, text: str) -> Json:
    message: Json = known.data["message"]
    found = media_of(message)
    if found is None or found[0] not in message:
        return {"conversation": text}
    return message | {found[0]: found[1] | {"caption": text}}


def _show(call: Call, jid: str, kind: str, content: Json) -> None:
    arrived = Delivered(call.instance.name, jid, kind, content, api_message_id(), time.time())
    call.backend.world.delivered.append(arrived)


def _envelope(jid: str, protocol: Json, now: float) -> Json:
    return {
        "key": {"remoteJid": jid, "fromMe": True, "id": api_message_id()},
        "message": {"protocolMessage": protocol},
        "messageTimestamp": str(int(now)),
        "status": "PENDING",
    }


def _deleted_row(known: StoredMessage) -> dict[str, Any]:
    names = ("instanceId", "messageType", "source", "messageTimestamp", "pushName", "message")
    row = {name: known.data.get(name) for name in names}
    return {"id": known.row_id, "key": known.key, "status": "DELETED", "participant": None} | row


ROUTES: Routes = {
    ("POST", "chat/updateMessage"): edit,
    ("DELETE", "chat/deleteMessageForEveryone"): delete,
}
