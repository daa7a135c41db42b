"""A customer with a phone in hand."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .world import Delivered

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who writes to a number and is written to; ``address`` is the number, or the user id."""

    call: Call
    address: str
    number_id: str | None = None

    @property
    def received(self) -> list[Delivered]:
        """What arrived, oldest first."""
        rows = [row if isinstance(row, Delivered) else Delivered(**row) for row in self.call("phones")]
        return [row for row in rows if row.to == self.address]

    @property
    def texts(self) -> list[str]:
        """The texts that arrived, oldest first."""
        return [row.content["body"] for row in self.received if row.type == "text"]

    def says(self, text: str, *, quoting: str | None = None, **more: Any) -> str:
        """Write a text; return its id."""
        context = {"context": {"id": quoting}} if quoting else {}
        return self.sends("text", {"body": text}, **context, **more)

    def sends(self, kind: str, content: Any, **more: Any) -> str:
        """Send a message of any type; ``more`` stands beside the type."""
        arguments = {"number_id": self.number_id, **more}
        return str(self.call("write", address=self.address, type=kind, content=content, **arguments))

    def sends_file(self, kind: str, data: bytes, mime_type: str, *, size: int | None = None, **content: Any) -> str:
        """Send a file: ``data``, or ``size`` made-up bytes that begin with it; ``content`` stands beside its id."""
        encoded = base64.b64encode(data).decode()
        file = self.call("store_file", mime_type=mime_type, data=encoded, size=size, number_id=self.number_id)
        return self.sends(kind, {**file, **content})

    def reacts(self, message_id: str, emoji: str) -> str:
        """React to a message, or take it back with an empty emoji."""
        content = {"message_id": message_id, **({"emoji": emoji} if emoji else {})}
        return self.sends("reaction", content)

    def reads(self, message_id: str) -> None:
        """Read a message of ours."""
        self.call("tell", message_id=message_id, status="read")
