"""How tests hold a stand-in: the same words for one in this process and for one in another."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from .customers import Customer
from .world import Delivered, RequestRecord, WebhookRecord

POLL = 0.005
Row = TypeVar("Row")


class Standin(ABC):
    """A running stand-in. Its calls block for microseconds and may come from any thread or event loop."""

    url: str
    files_url: str

    @abstractmethod
    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action of ``network``; raise LookupError or ValueError where it makes no sense."""

    @property
    def phone(self) -> list[Delivered]:
        """What arrived on people's phones, oldest first; exactly what was sent, however often."""
        return [_typed(Delivered, row) for row in self.call("phones")]

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request that came, oldest first."""
        return [_typed(RequestRecord, row) for row in self.call("requests")]

    @property
    def webhooks(self) -> list[WebhookRecord]:
        """Every webhook that was fired, oldest first, with the fate of each."""
        return [_typed(WebhookRecord, row) for row in self.call("webhooks")]

    @property
    def state(self) -> dict[str, Any]:
        """What was read, where typing was shown, which addresses are set."""
        return dict(self.call("state"))

    def customer(
        self,
        phone: str | None = None,
        *,
        user_id: str | None = None,
        name: str = "Maria Silva",
        username: str | None = None,
        shows_number: bool = True,
        number_id: str | None = None,
    ) -> Customer:
        """Return somebody who writes to a number.

        ``phone`` are the digits as WhatsApp has them; ``user_id`` is the BSUID. With ``shows_number`` False webhooks
        leave the number out, as for a user with a username.
        """
        person = {
            "wa_id": phone,
            "user_id": user_id,
            "name": name,
            "username": username,
            "shows_number": shows_number,
        }
        self.call("add_person", **person)
        return Customer(self.call, phone or user_id or "", number_id)

    def refuse(self, code: int, on: str = "POST */messages", **more: Any) -> str:
        """Answer the next request (``times``: the next few) with Meta's error ``code``."""
        return str(self.call("add_fault", on=on, effect="refuse", code=code, **more))

    def fault(self, effect: str, on: str = "POST */messages", **more: Any) -> str:
        """Put any other fault in force; see ``Fault``."""
        return str(self.call("add_fault", on=on, effect=effect, **more))

    async def eventually(self, look: Callable[[], Row], seconds: float = 15.0) -> Row:
        """Wait in an event loop until ``look`` returns something, and return that."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            if time.monotonic() > deadline:
                raise TimeoutError("it did not come to that")
            await asyncio.sleep(POLL)
        return seen


def _typed(kind: type[Row], row: Any) -> Row:
    return row if isinstance(row, kind) else kind(**row)
