"""What WhatsApp tells the server: messages, edits, deletions, receipts, calls (reference, section 7)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .backend import Backend
from .ids import iso, iso_now
from .jids import is_group
from .webhooks import with_base64
from .world import Contact, Instance, Json, StoredMessage


@dataclass(slots=True)
class Keys:
    """The two keys of one message: as ``messages.upsert`` shows it, and as everything else has it."""

    shown: Json
    stored: Json


def received(backend: Backend, instance: Instance, keys: Keys, data: Json) -> None:
    """Take a message in: store it, upsert it, and tell of contact and chat.

    ``data`` is the webhook's without its key and ``instanceId``. Groups that are to be ignored are.
    """
    if is_group(keys.stored["remoteJid"]) and instance.settings["groupsIgnore"]:
        return
    whole = {"key": keys.shown} | data | {"instanceId": instance.id}
    instance.store(StoredMessage(whole, keys.stored))
    backend.fire(instance, "messages.upsert", with_base64(backend.world.cdn, instance, whole))
    _meet(backend, instance, keys.stored["remoteJid"], data["pushName"], from_me=keys.shown["fromMe"])


def edited(backend: Backend, instance: Instance, key: Json, content: Json, at: float) -> Awaitable[None] | None:
    """Take an edit in; ``key`` names the original. Returns the awaited webhook, if it is subscribed to."""
    data = {
        "key": key,
        "type": "MESSAGE_EDIT",
        "editedMessage": content,
        "timestampMs": str(int(at * 1000)),
    }
    return _protocol(backend, instance, data, lambda known: _apply_edit(backend, instance, known, content, at))


def revoked(backend: Backend, instance: Instance, key: Json) -> Awaitable[None] | None:
    """Take a deletion for everyone in; ``key`` names the original."""
    return _protocol(
        backend, instance, {"key": key, "type": "REVOKE"}, lambda known: _apply_revoke(backend, instance, known)
    )


def receipt(backend: Backend, instance: Instance, message_id: str, status: str, remote_jid: str | None = None) -> None:
    """Tell the status of a message; nothing is told of unknown ones and of groups.

    ``remote_jid`` overrides the chat's address, which can be the LID of somebody known by phone.
    """
    known = instance.by_id.get(message_id)
    if known is None or is_group(known.key["remoteJid"]):
        return
    known.updates.append(_update_row(instance, known, status))
    backend.fire(instance, "messages.update", status_data(instance, known, status, remote_jid))


def status_data(instance: Instance, known: StoredMessage, status: str, remote_jid: str | None = None) -> Json:
    """Return the data of a ``messages.update``."""
    return {
        "keyId": known.id,
        "remoteJid": remote_jid or known.key["remoteJid"],
        "fromMe": known.key["fromMe"],
        "status": status,
        "instanceId": instance.id,
        "messageId": known.row_id,
    }


def mark_edited(instance: Instance, known: StoredMessage, content: Json, at: float) -> None:
    """Overwrite the stored text, and the timestamp with it."""
    known.data = known.data | {"message": content, "messageTimestamp": int(at)}
    known.updates.append(_update_row(instance, known, "EDITED"))


def mark_deleted(instance: Instance, known: StoredMessage) -> None:
    """Mark the row as deleted; it stays."""
    known.updates.append(_update_row(instance, known, "DELETED"))


def called(
    backend: Backend, instance: Instance, chat: str, *, caller_phone: str | None, status: str, at: float
) -> None:
    """Tell of a call."""
    data: Json = {"chatId": chat, "from": chat}
    if caller_phone:
        data["callerPn"] = caller_phone
    data |= {"id": f"CALL{int(at)}", "date": iso(at), "offline": False, "status": status}
    if status == "offer":
        data |= {"isVideo": False, "isGroup": False}
    backend.fire(instance, "call", data)


def _protocol(
    backend: Backend, instance: Instance, data: Json, apply: Callable[[StoredMessage], None]
) -> Awaitable[None] | None:
    """Tell of a protocol message; only when that was answered is it applied, and anything else looked at."""
    awaited = backend.fire(instance, "messages.edited", data)
    if awaited is not None:
        return _after(awaited, instance, data["key"]["id"], apply)
    _apply_if_known(instance, data["key"]["id"], apply)
    return None


async def _after(
    awaited: Awaitable[None], instance: Instance, message_id: str, apply: Callable[[StoredMessage], None]
) -> None:
    await awaited
    _apply_if_known(instance, message_id, apply)


def _apply_if_known(instance: Instance, message_id: str, apply: Callable[[StoredMessage], None]) -> None:
    known = instance.by_id.get(message_id)
    if known is not None:
        apply(known)


def _apply_edit(backend: Backend, instance: Instance, known: StoredMessage, content: Json, at: float) -> None:
    mark_edited(instance, known, content, at)
    known.updates.append(_update_row(instance, known, "SERVER_ACK"))
    data = status_data(instance, known, "SERVER_ACK")
    message_id = data.pop("messageId")
    if not known.key["fromMe"]:
        data["participant"] = ""
    data |= {"message": {"editedMessage": {"message": content}}, "messageId": message_id}
    backend.fire(instance, "messages.update", data)


def _apply_revoke(backend: Backend, instance: Instance, known: StoredMessage) -> None:
    mark_deleted(instance, known)
    backend.fire(instance, "messages.delete", known.key | {"status": "DELETED"})


def _meet(backend: Backend, instance: Instance, jid: str, name: str | None, *, from_me: bool) -> None:
    shown_name = "" if from_me else name
    known = instance.contacts.get(jid)
    bare = {"remoteJid": jid, "profilePicUrl": backend.world.pictures.get(jid), "instanceId": instance.id}
    named = bare | {"pushName": shown_name}
    if known is None:
        instance.contacts[jid] = Contact(jid, shown_name)
        backend.fire(instance, "contacts.upsert", named)
        backend.fire(instance, "chats.update", [{"remoteJid": jid, "instanceId": instance.id}])
        backend.fire(instance, "contacts.update", [bare])
        return
    known.name, known.updated_at = shown_name or known.name, iso_now()
    backend.fire(instance, "contacts.update", [bare])
    backend.fire(instance, "contacts.update", named)
    backend.fire(instance, "chats.update", [{"remoteJid": jid, "instanceId": instance.id}])


def _update_row(instance: Instance, known: StoredMessage, status: str) -> Json:
    return {
        "id": f"{known.row_id[:-4]}{len(known.updates):04x}",
        "keyId": known.id,
        "remoteJid": known.key["remoteJid"],
        "fromMe": known.key["fromMe"],
        "participant": None,
        "pollUpdates": None,
        "status": status,
        "messageId": known.row_id,
        "instanceId": instance.id,
    }
