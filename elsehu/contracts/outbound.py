"""What the dispatcher asks of a provider, and what it answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.message import Identity, Kind, Status


@dataclass(frozen=True, slots=True)
class OutboundMedia:
    """A stored file to send. `read()` returns its bytes, `stream()` yields them in pieces."""

    id: UUID
    mime_type: str
    file_name: str
    size: int
    sha256: str
    read: Callable[[], Awaitable[bytes]]
    stream: Callable[[], AsyncIterator[bytes]]
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message that is answered or reacted to, as the provider knows it."""

    external_id: str
    from_company: bool
    text: str | None = None
    chat_address: str | None = None


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message to hand to the provider, once.

    `to` holds the customer's addresses, the most recently used first. `payload` is the kind's structured
    content (location, contacts, reaction, interactive, template; see docs/api.md). `media` is the file of a media
    kind, or of an interactive message's or a template's header. `client_ref` is our id, for providers that echo
    one. `attempt` counts from 1.
    """

    id: UUID
    client_ref: str
    to: Sequence[Identity]
    kind: Kind
    text: str | None = None
    media: OutboundMedia | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    quoted: Quoted | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. `identities` are addresses of the customer that its answer taught us."""

    external_id: str
    at: datetime | None = None
    status: Status = Status.SENT
    identities: Sequence[Identity] = ()
