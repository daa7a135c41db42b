"""What the stand-in knows: one app, accounts, numbers, files, templates, people, and all that happened."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .blobs import Blob
from .options import Options

Json = Mapping[str, Any]


@dataclass(slots=True)
class Number:
    """A business number. ``facts`` are the fields that ``GET /<id>`` tells."""

    id: str
    waba_id: str
    phone: str
    facts: dict[str, Any] = field(default_factory=dict)
    callback: str | None = None


@dataclass(slots=True)
class Account:
    """A WhatsApp Business Account. ``templates`` are in Meta's own form, by id."""

    id: str
    subscribed: set[str] = field(default_factory=set)
    callback: str | None = None
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class App:
    """The app whose secret signs webhooks, and where its own go."""

    id: str
    secret: str
    callback: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class File:
    """A file that was uploaded, or that a customer sent; ``number_id`` is the number that may use it."""

    id: str
    number_id: str
    mime_type: str
    blob: Blob


@dataclass(slots=True)
class Person:
    """A customer. A user with a username shows the number only to those who know it."""

    wa_id: str | None
    user_id: str | None
    name: str = ""
    username: str | None = None
    shows_number: bool = True


@dataclass(slots=True)
class Delivered:
    """A message that arrived on somebody's phone; ``content`` is what stands under its type."""

    id: str
    number_id: str
    to: str
    type: str
    content: Any
    quoted: str | None
    reference: str | None
    at: float


@dataclass(slots=True)
class RequestRecord:
    """One request to the API or the file host; status 0 was never answered."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str | None
    at: float
    status: int = 0


@dataclass(slots=True)
class WebhookRecord:
    """One webhook: what it was about, where it went, and how each attempt was answered (0: not at all)."""

    about: str
    url: str
    body: Any
    answers: list[int] = field(default_factory=list)
    is_done: bool = False


class World:
    """Everything there is. Belongs to one event loop."""

    def __init__(self, options: Options) -> None:
        self.tokens = {options.token}
        self.app = App(options.app_id, options.app_secret)
        self.accounts: dict[str, Account] = {}
        self.numbers: dict[str, Number] = {}
        self.files: dict[str, File] = {}
        self.people: list[Person] = []
        self.delivered: list[Delivered] = []
        self.read: list[str] = []
        self.typing: list[str] = []
        self.windows: dict[tuple[str, str], float] = {}
        self.requests: deque[RequestRecord] = deque(maxlen=20_000)
        self.webhooks: deque[WebhookRecord] = deque(maxlen=20_000)
        self.unknown_fields: set[str] = set()
        self.add_number(options.number_id, options.waba_id, options.phone)

    def add_number(self, number_id: str, waba_id: str, phone: str) -> Number:
        """Add a connected number, and its account if that is new."""
        self.accounts.setdefault(waba_id, Account(waba_id))
        facts = {
            "verified_name": "Loja Teste",
            "quality_rating": "GREEN",
            "status": "CONNECTED",
            "name_status": "APPROVED",
            "code_verification_status": "VERIFIED",
            "throughput": {"level": "STANDARD"},
            "platform_type": "CLOUD_API",
            "account_mode": "LIVE",
            "is_on_biz_app": False,
            "is_official_business_account": False,
            "whatsapp_business_manager_messaging_limit": "TIER_2K",
            "health_status": {"can_send_message": "AVAILABLE", "entities": []},
        }
        number = Number(number_id, waba_id, phone, facts)
        self.numbers[number_id] = number
        return number

    def person(self, address: str) -> Person:
        """Return who has an address; a number that nobody has is somebody's all the same.

        A Brazilian mobile is found with and without its ninth digit.
        """
        for one in self.people:
            if one.user_id == address or (one.wa_id and _plan(one.wa_id) == _plan(address)):
                return one
        is_number = address.isdigit()
        found = Person(address if is_number else None, None if is_number else address)
        self.people.append(found)
        return found

    def is_open(self, number_id: str, person: Person) -> bool:
        """Whether the person wrote to the number within 24 hours."""
        at = self.windows.get((number_id, _key(person)), 0.0)
        return time.time() - at < 24 * 3600

    def opens(self, number_id: str, person: Person, at: float) -> None:
        """Note that the person wrote."""
        key = (number_id, _key(person))
        self.windows[key] = max(at, self.windows.get(key, 0.0))


def _key(person: Person) -> str:
    return person.user_id or person.wa_id or ""


def _plan(number: str) -> str:
    """Return a number without what WhatsApp drops of it in Brazil and Mexico."""
    if number.startswith("55") and len(number) == 13:
        return number[:4] + number[5:]
    return "52" + number[3:] if number.startswith("521") and len(number) == 13 else number
