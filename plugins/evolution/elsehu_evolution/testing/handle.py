"""How tests hold a stand-in: the same words for one in this process and for one in another."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .customers import Customer, Owner
from .fault_control import FaultControl
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
    def faults(self) -> FaultControl:
        """The faults in force."""
        return FaultControl(self.call)

    def customer(
        self,
        *,
        phone: str | None = None,
        lid: str | None = None,
        name: str | None = "Maria Silva",
        addressing: str | None = None,
        instance: str | None = None,
        picture: str | None = None,
    ) -> Customer:
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

    def owner(self, instance: str | None = None) -> Owner:
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

    def settled(self) -> bool:
        """Tell whether no webhook is under way."""
        return bool(self.call("pending") == 0)

    def settle(self, timeout: float = 10.0) -> None:
        """Block until no webhook is under way; raise TimeoutError after ``timeout`` seconds."""
        self.wait_until(self.settled, timeout)

    def wait_until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Block until ``condition()`` is true; raise TimeoutError after ``timeout`` seconds.

        In a test whose own event loop has to answer the webhooks use ``eventually``.
        """
        end = time.monotonic() + timeout
        while not condition():
            _refuse_to_wait(end, timeout)
            time.sleep(POLL)

    async def eventually(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait until ``condition()`` is true and let the event loop go on; TimeoutError as ``wait_until``."""
        end = time.monotonic() + timeout
        while not condition():
            _refuse_to_wait(end, timeout)
            await asyncio.sleep(POLL)


def _refuse_to_wait(end: float, timeout: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError(f"it did not come true in {timeout} s")


def _typed(kind: type[Any], row: Any) -> Any:
    return row if isinstance(row, kind) else kind(**row)
