"""What tests look at afterwards: arrivals on phones, requests, webhooks."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Delivered:
    """One thing that truly arrived on somebody's phone.

    ``kind`` is text, image, video, document, audio, sticker, location, contacts, reaction, poll, list,
    buttons, status, edit or delete. ``content`` holds what was sent, by the names of the request.
    """

    instance: str
    to: str
    kind: str
    content: dict[str, Any]
    id: str
    at: float
    quoted: str | None = None

    @property
    def text(self) -> str | None:
        """The text or caption that a person reads."""
        text: str | None = self.content.get("text", self.content.get("caption"))
        return text


@dataclass(slots=True)
class RequestRecord:
    """One request as it came in, and the status that it got (None while open, 0 for a closed connection)."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float
    status: int | None = None

    @property
    def key(self) -> str | None:
        """The ``apikey`` that came with it."""
        return self.headers.get("apikey")


@dataclass(slots=True)
class WebhookRecord:
    """One event on its way to a receiver: the status of each attempt (0 for no answer) and its fate.

    ``state`` is pending, delivered, refused (an answer that is never retried), exhausted, lost (the server
    stopped meanwhile) or dropped (by a fault).
    """

    event: str
    instance: str
    url: str
    at: float
    statuses: list[int] = field(default_factory=list)
    state: str = "pending"
