"""The people whom tests let act: customers, and the owner of the number."""

import base64
from typing import Any, Protocol

from .jids import address, digits
from .records import Delivered
from .world import Json


class Stage(Protocol):
    """What people act on: a stand-in, wherever it runs."""

    @property
    def phone(self) -> list[Delivered]:
        """What arrived on people's phones."""

    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action of ``control``."""


class Customer:
    """Somebody outside. Every message returns its WhatsApp id.

    All messages take ``quoting`` (an id), ``forwarded`` (how often), ``expiration`` (seconds), ``wrapper``
    (``ephemeralMessage``, ``viewOnceMessageV2``, …), ``group`` (a JID), ``at`` (seconds since 1970) and
    ``id``; those with a file also ``mimetype``.
    """

    def __init__(self, stage: Stage, instance: str | None, person: Json) -> None:
        self.person = person
        self._stage = stage
        self._instance = instance

    @property
    def received(self) -> list[Delivered]:
        """What arrived on this person's phone, under any of their addresses."""
        phone, lid = self.person["phone"], self.person["lid"]
        known = {phone, lid, digits(address(phone)) if phone else None}
        return [arrived for arrived in self._stage.phone if digits(arrived.to) in known]

    def says(self, text: str, **how: Any) -> str:
        """Write a text."""
        return self.writes("text", {"text": text}, **how)

    def sends_image(self, file: bytes | None = None, *, caption: str | None = None, **how: Any) -> str:
        """Send a picture; without ``file`` a grey one."""
        return self._sends("image", file, {"caption": caption}, how)

    def sends_video(self, file: bytes | None = None, *, caption: str | None = None, **how: Any) -> str:
        """Send a video."""
        return self._sends("video", file, {"caption": caption}, how)

    def sends_audio(self, file: bytes | None = None, *, voice: bool = True, **how: Any) -> str:
        """Send a voice note, or an audio file."""
        return self._sends("audio", file, {"voice": voice}, how)

    def sends_document(
        self, file: bytes | None = None, *, file_name: str = "contrato.pdf", caption: str | None = None, **how: Any
    ) -> str:
        """Send a document."""
        return self._sends("document", file, {"fileName": file_name, "caption": caption}, how)

    def sends_sticker(self, file: bytes | None = None, **how: Any) -> str:
        """Send a sticker."""
        return self._sends("sticker", file, {}, how)

    def sends_location(
        self,
        latitude: float,
        longitude: float,
        *,
        name: str | None = None,
        address: str | None = None,
        **how: Any,
    ) -> str:
        """Send a place."""
        content = {"latitude": latitude, "longitude": longitude, "name": name, "address": address}
        return self.writes("location", content, **how)

    def sends_contact(self, name: str, phone: str, **how: Any) -> str:
        """Send a card."""
        return self.writes("contact", {"name": name, "phone": phone}, **how)

    def reacts(self, message_id: str, emoji: str, **how: Any) -> str:
        """React to a message of either side; an empty text takes the reaction back."""
        return self.writes("reaction", {"to": message_id, "emoji": emoji}, **how)

    def sends_raw(self, message_type: str, message: Json, **how: Any) -> str:
        """Send a message of any type, as the webhook is to show it."""
        return self.writes("raw", {"type": message_type, "message": message}, **how)

    def writes(self, kind: str, content: Json, **how: Any) -> str:
        """Send a message of a kind that ``letters`` knows."""
        return str(self._do("write", letter={"kind": kind, "content": content} | how))

    def edits(self, message_id: str, text: str) -> None:
        """Edit a message."""
        self._do("edit", message_id=message_id, text=text)

    def deletes(self, message_id: str) -> None:
        """Delete a message for everyone."""
        self._do("delete", message_id=message_id)

    def shows(self, presence: str = "composing") -> None:
        """Type, record, pause, come or go."""
        self._do("presence", state=presence)

    def calls(self, status: str = "offer") -> None:
        """Call, or go on with a call."""
        self._do("call", status=status)

    def _sends(self, kind: str, file: bytes | None, content: Json, how: Json) -> str:
        encoded = None if file is None else base64.b64encode(file).decode()
        return self.writes(kind, content | {"base64": encoded, "mimetype": how.pop("mimetype", None)}, **how)

    def _do(self, action: str, **arguments: Any) -> Any:
        return self._stage.call(action, instance=self._instance, person=self.person, **arguments)


class Owner:
    """The owner of the number, at the phone itself."""

    def __init__(self, stage: Stage, instance: str | None) -> None:
        self._stage = stage
        self._instance = instance

    def says(self, text: str, to: Customer, **how: Any) -> str:
        """Write a text to somebody, past the API; return its id."""
        return to.says(text, from_me=True, **how)

    def reads(self, message_id: str) -> None:
        """Read a customer's message on the phone."""
        self._stage.call("receipt", instance=self._instance, message_id=message_id, status="READ")
