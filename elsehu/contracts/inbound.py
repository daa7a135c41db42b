"""What a webhook or a history call says, in Elsehu's words: made by `provider_normalize`, applied by messaging.

Every event is applied at least once, in any order, and leaves the same state. `raw` is the provider's own
item without secrets, thumbnails or media bytes; it is what a person reads when something looks wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.instance import InstanceStatus, Pairing
from elsehu.contracts.message import Direction, Identity, Kind, Mark, Status
from elsehu.contracts.template import TemplateStatus


@dataclass(frozen=True, slots=True)
class MediaContent:
    """A file that came with a message.

    Either its bytes are here (`data`), or `reference` is what the plugin's `provider_media` needs to fetch
    it. Names and types are the provider's claims: they are checked, never trusted.
    """

    mime_type: str
    file_name: str | None = None
    size: int | None = None
    sha256: str | None = None
    data: bytes | None = None
    reference: Mapping[str, Any] = field(default_factory=dict)
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message of a customer, or one that left by another road (the owner's phone, another program).

    `sender` holds every address of the *customer* that the event shows, best first (also for echoes: the
    chat's other side). `author_name` is a group member's name. `payload` is the kind's structured content
    (location, contacts, interactive; see docs/api.md). `through_api` marks an echo of a send by API, which
    may be ours. `opens` is False for what must neither open nor reopen a conversation. `sender_username` is a
    name that the customer chose to be found by: shown, never an address.
    """

    external_id: str
    direction: Direction
    sender: Sequence[Identity]
    kind: Kind
    at: datetime
    text: str | None = None
    sender_name: str | None = None
    sender_username: str | None = None
    author_name: str | None = None
    media: MediaContent | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    through_api: bool = False
    opens: bool = True
    is_history: bool = False
    status: Status | None = None
    client_ref: str | None = None


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """How far a message has come. `client_ref` is our message id where the provider echoes it.

    `mark` is what a failure says of the recipient or the template beyond this message.
    """

    external_id: str
    status: Status
    at: datetime | None = None
    error_code: str | None = None
    error_detail: str | None = None
    provider_code: str | None = None
    client_ref: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author changed a message's text or caption. `at` orders edits; without it the last applied wins."""

    external_id: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The author deleted a message for everyone: it is marked, its content is kept."""

    external_id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReactionChanged:
    """Somebody reacted to a message; `emoji` empty takes the reaction back. One reaction a person a message."""

    external_id: str
    emoji: str
    at: datetime
    from_company: bool
    sender: Sequence[Identity] = ()


@dataclass(frozen=True, slots=True)
class IdentitiesLinked:
    """These addresses are one person (a LID with its phone, say). Existing contacts are merged."""

    identities: Sequence[Identity]


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """A person's address changed at the time `at`: from now on `new` are theirs, and `old` are nobody's.

    Where messages older than `at` came from `new`, these were another person's, who has lost the address.
    """

    old: Sequence[Identity]
    new: Sequence[Identity]
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """The customer told the provider whether they want marketing messages (`accepts`). The latest `at` counts."""

    sender: Sequence[Identity]
    accepts: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class TemplateChanged:
    """The provider changed its mind about a template of the instance's account. None: as it was.

    Found by `external_id` where that is known, else by name and language. `reason` is for people.
    """

    name: str
    language: str
    external_id: str | None = None
    status: TemplateStatus | None = None
    category: str | None = None
    quality: str | None = None
    reason: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InstanceChanged:
    """The number's state at the provider changed. `status` None: only its `health` did (see `InstanceReport`)."""

    status: InstanceStatus | None
    detail: str = ""
    phone: str | None = None
    pairing: Pairing | None = None
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomerTyping:
    """The customer is typing, recording, or has stopped: shown to who looks, never stored."""

    sender: Sequence[Identity]
    state: str


Event = (
    MessageArrived
    | StatusChanged
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | IdentitiesLinked
    | IdentityChanged
    | ConsentChanged
    | TemplateChanged
    | InstanceChanged
    | CustomerTyping
)


@dataclass(frozen=True, slots=True)
class Item:
    """One event of one instance, with the provider's own JSON of it (cleaned) for the dead-letter table."""

    instance_id: UUID
    event: Event
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of a webhook that could not be understood although it should have been: kept, and shown."""

    error: str
    raw: Any
    instance_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Normalized:
    """What one webhook says. `raw` is the whole body without secrets and media bytes, kept for replay.

    What is recognised but of no interest, or not recognised at all, gives no item: it stays in `raw` only.
    """

    items: Sequence[Item] = ()
    broken: Sequence[Broken] = ()
    raw: Any = None
    event_name: str = ""
