"""What changes a message that is there: `messages.update`, `messages.delete`, `messages.edited`.

They find their message by its id alone: the JID beside it may be phone or LID (reference, sections 7.3, 7.5, 8).
"""

from collections.abc import Iterator
from datetime import datetime

from elsehu.plugin import Event, IdentitiesLinked, MessageDeleted, MessageEdited, Status, StatusChanged

from .flavours import Json, Unreadable, mapping, moment, wall_clock
from .identities import concerns_us, pair
from .kinds import words_of
from .parts import Part, id_of, key_of
from .states import message_status

EDIT = ("MESSAGE_EDIT", 14)
REVOKE = ("REVOKE", 0)
NO_REASON = "WhatsApp did not take this message; Evolution does not say why. Check the number and send it again."


def updated(part: Part) -> Iterator[Event]:
    """Read `messages.update`: a status, or an edit (then the status beside it is filler)."""
    data = mapping(part.data)
    if not concerns_us(data.get("remoteJid"), part.instance):
        return
    external_id = id_of({"id": data.get("keyId")}) or id_of(mapping(data.get("key"))) or id_of(data)
    if external_id is None:
        raise Unreadable("a status without the id of its message")
    message = mapping(data.get("message"))
    if message:
        yield from _edit(external_id, message, wall_clock(part.date_time))
        return
    if data.get("status") == "DELETED":
        yield MessageDeleted(external_id)
        return
    status = message_status(data.get("status"))
    if status is not None:
        yield status_changed(external_id, status, data)


def status_changed(external_id: str, status: Status, data: Json) -> StatusChanged:
    """Return a change of status; a failure comes without any reason. v1 tells its time as `datetime`."""
    at = moment(data.get("datetime"))
    if status is Status.FAILED:
        return StatusChanged(external_id, status, at, "provider_failed", NO_REASON, str(data.get("status"))[:60])
    return StatusChanged(external_id, status, at)


def deleted(part: Part) -> Iterator[Event]:
    """Read `messages.delete`: the key itself when a person deleted, the stored row when the API did."""
    data = mapping(part.data)
    key = key_of(data)
    if not concerns_us(key.get("remoteJid"), part.instance):
        return
    external_id = id_of(key)
    if external_id is None:
        raise Unreadable("a deletion without the id of its message")
    yield MessageDeleted(external_id)
    yield from linked(key)


def edited(part: Part) -> Iterator[Event]:
    """Read `messages.edited` and `send.message.update`: protocol messages of all kinds, most none of ours."""
    data = mapping(part.data)
    if concerns_us(mapping(data.get("key")).get("remoteJid"), part.instance):
        yield from protocol(data, part)


def protocol(data: Json, part: Part) -> Iterator[Event]:
    """Read a protocol message: an edit or a deletion of the message in its key, or nothing."""
    external_id = id_of(mapping(data.get("key")))
    kind = data.get("type")
    if external_id is None or type(kind) not in (str, int):
        return
    if kind in EDIT:
        at = wall_clock(part.date_time) or moment(data.get("timestampMs"))
        yield from _edit(external_id, mapping(data.get("editedMessage")), at)
    elif kind in REVOKE:
        yield MessageDeleted(external_id, moment(data.get("timestampMs")))


def linked(key: Json) -> Iterator[Event]:
    """Yield what a key teaches of one person's addresses."""
    addresses = pair(key)
    if addresses:
        yield IdentitiesLinked(addresses)


def _edit(external_id: str, message: Json, at: datetime | None) -> Iterator[Event]:
    """Yield an edit. `messages.update` has no time but the envelope's, so all edits are ordered by that one.

    It is wrong as a time, but right about which of two edits that one server told came later.
    """
    words = words_of(message)
    if words is not None:
        yield MessageEdited(external_id, words, at)
