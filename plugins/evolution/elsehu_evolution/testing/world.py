"""What the stand-in knows: instances with their stores, the phones out there, and what was asked of it."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .ids import iso_now, row_id
from .jids import SHORTEST_NUMBER, digits, is_group, is_user
from .records import Delivered, RequestRecord, WebhookRecord

Json = dict[str, Any]
Step = Callable[[], Awaitable[Any] | None]

BAILEYS = "WHATSAPP-BAILEYS"
BUSINESS = "WHATSAPP-BUSINESS"
EVOLUTION = "EVOLUTION"

SWITCHES = ("rejectCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory")


def default_settings() -> Json:
    """Return the settings of an instance that was told none."""
    switches: Json = dict.fromkeys(SWITCHES, False)
    return {**switches, "msgCall": "", "wavoipToken": ""}


@dataclass(slots=True)
class WebhookConfig:
    """The stored webhook of an instance."""

    url: str
    events: list[str]
    enabled: bool = True
    headers: dict[str, str] | None = None
    by_events: bool = False
    base64: bool = False
    row_id: str = field(default_factory=row_id)
    created_at: str = field(default_factory=iso_now)
    updated_at: str = field(default_factory=iso_now)


@dataclass(slots=True)
class StoredMessage:
    """A row of the server's message store. ``key`` may differ from the key in ``data`` (LID chats)."""

    data: Json
    key: Json
    row_id: str = field(default_factory=row_id)
    updates: list[Json] = field(default_factory=list)

    @property
    def id(self) -> str:
        """WhatsApp's id of the message."""
        key_id: str = self.key["id"]
        return key_id


@dataclass(slots=True)
class Contact:
    """A row of the server's contact store."""

    jid: str
    name: str | None
    row_id: str = field(default_factory=row_id)
    created_at: str = field(default_factory=iso_now)
    updated_at: str = field(default_factory=iso_now)


@dataclass(slots=True)
class QrSession:
    """A pairing under way: the code shown now, and how many were."""

    code: str = ""
    count: int = 0
    pairing_code: str | None = None


@dataclass(slots=True)
class Instance:
    """One instance: its configuration, its connection and what it stored."""

    name: str
    integration: str
    token: str
    number: str | None = None
    business_id: str | None = None
    id: str = field(default_factory=lambda: str(uuid4()))
    state: str = "close"
    webhook: WebhookConfig | None = None
    settings: Json = field(default_factory=default_settings)
    settings_id: str = field(default_factory=row_id)
    created_at: str = field(default_factory=iso_now)
    updated_at: str = field(default_factory=iso_now)

    owner_jid: str | None = None
    profile_name: str | None = None
    sender: str | None = None
    linked: bool = False
    qr: QrSession | None = None
    disconnection: Json | None = None
    base64_active: bool = False

    messages: list[StoredMessage] = field(default_factory=list)
    by_id: dict[str, StoredMessage] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    reads: list[Json] = field(default_factory=list)
    presences: list[Json] = field(default_factory=list)

    backlog: deque[Step] = field(default_factory=deque)
    """What WhatsApp holds for it, or what waits behind an awaited webhook."""
    held: bool = False

    def store(self, message: StoredMessage) -> None:
        """Keep a row; a redelivered message becomes a second one."""
        self.messages.append(message)
        self.by_id.setdefault(message.id, message)


@dataclass(slots=True)
class World:
    """Everything that outlives a restart of the server."""

    log_limit: int
    reachable: bool = True
    """Whether new sessions get through to WhatsApp."""
    instances: dict[str, Instance] = field(default_factory=dict)
    half_made: dict[str, float] = field(default_factory=dict)
    delivered: list[Delivered] = field(default_factory=list)
    cdn: dict[str, bytes] = field(default_factory=dict)
    """Files on WhatsApp's servers by their direct path."""
    absent: set[str] = field(default_factory=lambda: {"5511900000000"})
    """Numbers that are not on WhatsApp."""
    checked: set[str] = field(default_factory=set)
    """JIDs whose existence the server has looked up and cached."""
    pictures: dict[str, str] = field(default_factory=dict)
    """Addresses of profile pictures by JID."""
    groups: dict[str, Json] = field(default_factory=dict)
    requests: deque[RequestRecord] = field(init=False)
    webhooks: deque[WebhookRecord] = field(init=False)

    def __post_init__(self) -> None:
        """Bound the logs."""
        self.requests = deque(maxlen=self.log_limit)
        self.webhooks = deque(maxlen=self.log_limit)

    def exists(self, jid: str) -> bool:
        """Tell whether somebody has this address; opaque ids are never doubted."""
        if is_group(jid):
            return jid in self.groups
        number = digits(jid)
        return not is_user(jid) or (len(number) >= SHORTEST_NUMBER and number not in self.absent)
