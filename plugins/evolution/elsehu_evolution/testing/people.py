"""The people outside, and how WhatsApp addresses each of them (reference, section 8)."""

from dataclasses import dataclass

from .inbound import Keys
from .jids import lid_jid, user_jid
from .world import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a phone number, an opaque id, or both; ``addressing`` (pn or lid) is the chat's."""

    phone: str | None = None
    lid: str | None = None
    name: str | None = None
    addressing: str | None = None

    @property
    def by_lid(self) -> bool:
        """Whether the chat uses the opaque id."""
        return self.addressing == "lid" or not self.phone

    @property
    def jid(self) -> str:
        """The address that everything but ``messages.upsert`` shows."""
        return lid_jid(self.lid or "") if self.by_lid else user_jid(self.phone or "")


def keys(person: Person, message_id: str, *, from_me: bool, group: str | None) -> Keys:
    """Return the keys of a message as its chat has them."""
    phone = user_jid(person.phone) if person.phone else None
    mode = "lid" if person.by_lid else "pn"
    tail: Json = {"fromMe": from_me, "id": message_id}
    if group:
        alt = {"participantAlt": phone} if person.by_lid and phone else {}
        key = {"remoteJid": group, **tail, "participant": person.jid, **alt, "addressingMode": mode}
        return Keys(key, key)
    tail |= {"participant": "", "addressingMode": mode}
    if not person.by_lid:
        alt = {"remoteJidAlt": lid_jid(person.lid)} if person.lid else {}
        key = {"remoteJid": person.jid, **alt, **tail}
        return Keys(key, key)
    if phone is None:
        key = {"remoteJid": person.jid, **tail}
        return Keys(key, key)
    shown = {"remoteJid": phone, "remoteJidAlt": phone, **tail}
    return Keys(shown, {"remoteJid": person.jid, "remoteJidAlt": phone, **tail})
