"""What people and their phones can be made to do. ``control`` says how these are called."""

import time

from . import inbound
from .backend import Backend
from .content import media_of
from .ids import api_message_id
from .jids import user_jid
from .letters import Letter, data, message_id
from .people import Person, keys
from .world import Instance, Json


def write(backend: Backend, instance: Instance, person: Json, letter: Json) -> str:
    """Let somebody write, or with ``from_me`` the owner on the phone; return the message's id."""
    who, what = _person(backend, person), Letter(**letter)
    chosen = message_id(what)
    pair = keys(who, chosen, from_me=what.from_me, group=what.group)
    written = data(backend.world.cdn, instance, who, what)
    backend.arrive(instance, lambda: inbound.received(backend, instance, pair, written))
    return chosen


def redeliver(backend: Backend, instance: Instance, message_id: str) -> None:
    """Let WhatsApp deliver a message once more: a second row, a second webhook."""
    known = instance.by_id[message_id]
    again = {name: value for name, value in known.data.items() if name not in ("key", "instanceId")}
    pair = inbound.Keys(known.data["key"], known.key)
    backend.arrive(instance, lambda: inbound.received(backend, instance, pair, again))


def edit(backend: Backend, instance: Instance, person: Json, message_id: str, text: str) -> None:
    """Let the author edit a message; the key is from the author's point of view."""
    key = _authors_key(backend, person, message_id)
    now = time.time()
    backend.arrive(instance, lambda: inbound.edited(backend, instance, key, {"conversation": text}, now))


def delete(backend: Backend, instance: Instance, person: Json, message_id: str) -> None:
    """Let the author delete a message for everyone."""
    key = _authors_key(backend, person, message_id)
    backend.arrive(instance, lambda: inbound.revoked(backend, instance, key))


def receipt(backend: Backend, instance: Instance, message_id: str, status: str, remote_jid: str | None = None) -> None:
    """Let a phone acknowledge a message: SERVER_ACK, DELIVERY_ACK, READ, PLAYED or ERROR."""
    backend.arrive(instance, lambda: inbound.receipt(backend, instance, message_id, status, remote_jid))


def presence(backend: Backend, instance: Instance, person: Json, state: str) -> None:
    """Let somebody type (composing), record, pause, come or go."""
    jid = _person(backend, person).jid
    told = {"id": jid, "presences": {jid: {"lastKnownPresence": state}}}
    backend.arrive(instance, lambda: emit(backend, instance, "presence.update", told))


def call(backend: Backend, instance: Instance, person: Json, status: str = "offer") -> None:
    """Let somebody call; an instance that rejects calls answers by the text of its settings."""
    who = _person(backend, person)
    caller = user_jid(who.phone) if who.by_lid and who.phone else None
    now = time.time()
    backend.arrive(
        instance, lambda: inbound.called(backend, instance, who.jid, caller_phone=caller, status=status, at=now)
    )
    settings = instance.settings
    if status == "offer" and settings["rejectCall"] and settings["msgCall"]:
        text = {"kind": "text", "content": {"text": settings["msgCall"]}, "from_me": True}
        write(backend, instance, person, text | {"source": "web", "id": api_message_id()})


def emit(backend: Backend, instance: Instance, event: str, data: object, beside: Json | None = None) -> None:
    """Send any event with any data, if it is subscribed to; ``beside`` goes next to ``event``."""
    backend.fire(instance, event, data, **(beside or {}))


def stored(backend: Backend, instance: Instance, message_id: str) -> Json:
    """Return the data of ``messages.upsert`` of a message that the server has, without bytes."""
    return instance.by_id[message_id].data


def lose_media(backend: Backend, instance: Instance, message_id: str) -> None:
    """Let the file of a message expire on WhatsApp's servers."""
    found = media_of(instance.by_id[message_id].data["message"])
    if found:
        backend.world.cdn.pop(found[1].get("directPath", ""), None)


def _person(backend: Backend, given: Json) -> Person:
    given = dict(given)
    picture = given.pop("picture", None)
    person = Person(**given)
    if picture:
        backend.world.pictures[person.jid] = picture
    return person


def _authors_key(backend: Backend, person: Json, message_id: str) -> Json:
    return {"remoteJid": _person(backend, person).jid, "fromMe": True, "id": message_id}
