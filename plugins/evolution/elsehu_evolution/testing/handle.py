"""How tests hold a stand-in: the same words for one in this process and for one in another."""

import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .faults import Fault
from .records import Delivered, RequestRecord, WebhookRecord
from .world import Json

POLL = 0.005


class Standin(ABC):
    """A running stand-in. Its calls block for microseconds and may come from any thread or event loop."""

    url: str
    global_key: str

    @abstractmethod
    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action of ``control``; raise LookupError or ValueError where it makes no sense."""

    @property
    def phone(self) -> list[Delivered]:
        """What arrived on people's phones, oldest first; exactly what was sent, however often."""
        return [_typed(Delivered, row) for row in self.call("phone")]

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request that came, oldest first."""
        return [_typed(RequestRecord, row) for row in self.call("requests")]

    @property
    def webhooks(self) -> list[WebhookRecord]:
        """Every webhook that was fired, oldest first, with the fate of each."""
        return [_typed(WebhookRecord, row) for row in self.call("webhooks")]

    @property
    def faults(self) -> "FaultControl":
        """The faults in force."""
        return FaultControl(self)

    def customer(
        self,
        *,
        phone: str | None = None,
        lid: str | None = None,
        name: str | None = "Maria Silva",
        addressing: str | None = None,
        instance: str | None = None,
        picture: str | None = None,
    ) -> "Customer":
        """Return somebody who can write to an instance.

        Args:
            phone: digits of the number as WhatsApp has it (without the ninth digit, where it has none).
            lid: the opaque id, bare.
            name: the push name.
            addressing: "pn" or "lid"; by default pn if there is a phone. With lid and a phone, webhooks of
                new messages show the phone and everything else the LID.
            instance: to whom they write; needed where there are several.
            picture: address of a profile picture.
        """
        if not (phone or lid):
            raise ValueError("a customer needs a phone, a lid, or both")
        person = {"phone": phone, "lid": lid, "name": name, "addressing": addressing, "picture": picture}
        return Customer(self, instance, person)

    def owner(self, instance: str | None = None) -> "Owner":
        """Return the owner of the number, who also types on the phone."""
        return Owner(self, instance)

    def add_instance(self, name: str = "wa", **options: Any) -> str:
        """Add a connected instance without any HTTP and return its token; see ``connections.add_instance``."""
        return str(self.call("add_instance", name=name, **options))

    def scan(self, instance: str | None = None, phone: str = "5511955550001") -> None:
        """Scan the QR code that is shown, and wait until the connection is open."""
        self.call("scan", instance=instance, phone=phone)
        self.wait_until(lambda: self.state(instance)["state"] == "open")

    def unlink(self, instance: str | None = None) -> None:
        """Log out from the phone."""
        self.call("unlink", instance=instance)

    def drop(self, instance: str | None = None) -> None:
        """Lose the connection to WhatsApp."""
        self.call("drop", instance=instance)

    def reconnect(self, instance: str | None = None) -> None:
        """Come back after a drop."""
        self.call("reconnect", instance=instance)

    def receipt(self, message_id: str, status: str, instance: str | None = None, **more: Any) -> None:
        """Let a phone acknowledge a message with SERVER_ACK, DELIVERY_ACK, READ, PLAYED or ERROR."""
        self.call("receipt", instance=instance, message_id=message_id, status=status, **more)

    def state(self, instance: str | None = None) -> Json:
        """Return what an instance is like; see ``connections.state``."""
        state: Json = self.call("state", instance=instance)
        return state

    def forget(self) -> None:
        """Empty the phone and the logs."""
        self.call("forget")

    def outage(self, seconds: float) -> None:
        """Refuse connections from now on, for so long."""
        self.call("outage", seconds=seconds)

    def settle(self, timeout: float = 10.0) -> None:
        """Wait until no webhook is under way; raise TimeoutError after ``timeout`` seconds."""
        self.wait_until(lambda: self.call("pending") == 0, timeout)

    def wait_until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Block until ``condition()`` is true; raise TimeoutError after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"it did not come true in {timeout} s")
            time.sleep(POLL)


class Customer:
    """Somebody outside. Every message returns its WhatsApp id.

    All messages take ``quoting`` (an id), ``forwarded``, ``expiration`` (seconds), ``wrapper``
    (``ephemeralMessage``, ``viewOnceMessageV2``, …), ``group`` (a JID), ``at`` (seconds since 1970) and
    ``id``.
    """

    def __init__(self, standin: Standin, instance: str | None, person: Json) -> None:
        self.person = person
        self._standin = standin
        self._instance = instance

    @property
    def received(self) -> list[Delivered]:
        """What arrived on this person's phone, under any of their addresses."""
        known = {self.person["phone"], self.person["lid"]}
        return [arrived for arrived in self._standin.phone if arrived.to.partition("@")[0] in known]

    def says(self, text: str, **how: Any) -> str:
        """Write a text."""
        return self.writes("text", {"text": text}, **how)

    def sends_image(self, file: bytes | None = None, *, caption: str | None = None, **how: Any) -> str:
        """Send a picture; without ``file`` a grey one."""
        return self.writes("image", {"base64": _encoded(file), "caption": caption}, **how)

    def sends_video(self, file: bytes | None = None, *, caption: str | None = None, **how: Any) -> str:
        """Send a video."""
        return self.writes("video", {"base64": _encoded(file), "caption": caption}, **how)

    def sends_audio(self, file: bytes | None = None, *, voice: bool = True, **how: Any) -> str:
        """Send a voice note, or an audio file."""
        return self.writes("audio", {"base64": _encoded(file), "voice": voice}, **how)

    def sends_document(
        self, file: bytes | None = None, *, file_name: str = "contrato.pdf", caption: str | None = None, **how: Any
    ) -> str:
        """Send a document."""
        content = {"base64": _encoded(file), "fileName": file_name, "caption": caption}
        return self.writes("document", content, **how)

    def sends_sticker(self, file: bytes | None = None, **how: Any) -> str:
        """Send a sticker."""
        return self.writes("sticker", {"base64": _encoded(file)}, **how)

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

    def _do(self, action: str, **arguments: Any) -> Any:
        return self._standin.call(action, instance=self._instance, person=self.person, **arguments)


class Owner:
    """The owner of the number, at the phone itself."""

    def __init__(self, standin: Standin, instance: str | None) -> None:
        self._standin = standin
        self._instance = instance

    def says(self, text: str, to: Customer, **how: Any) -> str:
        """Write a text to somebody, past the API; return its id."""
        return to.says(text, from_me=True, **how)

    def reads(self, message_id: str) -> None:
        """Read a customer's message on the phone."""
        self._standin.receipt(message_id, "READ", self._instance)


class FaultControl:
    """Faults in short words. ``on`` is a pattern as of ``faults.Fault``; all take its other fields too.

    A fault strikes once unless ``times`` (None: for ever) or ``probability`` says otherwise. Each returns
    its id.
    """

    def __init__(self, standin: Standin) -> None:
        self._standin = standin

    def add(self, on: str, effect: str, **more: Any) -> str:
        """Put any fault in force."""
        Fault(on=on, effect=effect, **more)  # refuse nonsense here, with a traceback into the test
        return str(self._standin.call("add_fault", on=on, effect=effect, **more))

    def delay(self, on: str, seconds: float, **more: Any) -> str:
        """Answer late."""
        return self.add(on, "delay", seconds=seconds, **more)

    def answer(self, on: str, status: int, body: Any = None, **more: Any) -> str:
        """Answer a status without doing anything (``accepted=True``: after doing it)."""
        return self.add(on, "answer", status=status, body=body, **more)

    def close(self, on: str, **more: Any) -> str:
        """Close the connection without having accepted anything."""
        return self.add(on, "close", **more)

    def accept_and_close(self, on: str, **more: Any) -> str:
        """Deliver, then close the connection without an answer."""
        return self.add(on, "close", accepted=True, **more)

    def accept_and_hang(self, on: str, seconds: float = 60.0, **more: Any) -> str:
        """Deliver, then never answer: the caller's time-out decides."""
        return self.add(on, "hang", accepted=True, seconds=seconds, **more)

    def hang(self, on: str, seconds: float = 60.0, **more: Any) -> str:
        """Neither deliver nor answer."""
        return self.add(on, "hang", seconds=seconds, **more)

    def malformed(self, on: str, **more: Any) -> str:
        """Deliver, then answer broken JSON."""
        return self.add(on, "malformed", **({"accepted": True} | more))

    def drop_webhook(self, on: str, **more: Any) -> str:
        """Never deliver an event."""
        return self.add(on, "drop", **more)

    def duplicate_webhook(self, on: str, copies: int = 2, **more: Any) -> str:
        """Deliver an event several times at once."""
        return self.add(on, "duplicate", copies=copies, **more)

    def hold_webhook(self, on: str, behind: int = 1, seconds: float = 5.0, **more: Any) -> str:
        """Deliver an event after ``behind`` later ones, or after ``seconds``."""
        return self.add(on, "hold", behind=behind, seconds=seconds, **more)

    def hits(self, fault_id: str) -> int:
        """Return how often a fault struck."""
        return int(self._standin.call("fault_hits", fault_id=fault_id))

    def clear(self, fault_id: str | None = None) -> None:
        """Lift one fault, or all."""
        self._standin.call("clear_faults", fault_id=fault_id)


def _encoded(file: bytes | None) -> str | None:
    return None if file is None else base64.b64encode(file).decode()


def _typed(kind: type[Any], row: Any) -> Any:
    return row if isinstance(row, kind) else kind(**row)
