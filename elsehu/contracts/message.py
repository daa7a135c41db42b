"""The words that describe a message: kinds, directions, delivery status; and who the other side is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """From the customer (`INBOUND`) or from the company (`OUTBOUND`)."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class Kind(StrEnum):
    """What a message holds."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACTS = "contacts"
    REACTION = "reaction"
    INTERACTIVE = "interactive"
    TEMPLATE = "template"
    SYSTEM = "system"
    UNSUPPORTED = "unsupported"


MEDIA_KINDS = frozenset({Kind.IMAGE, Kind.AUDIO, Kind.VIDEO, Kind.DOCUMENT, Kind.STICKER})


class Status(StrEnum):
    """How far a message has come. See `RANK`: it only ever moves forward."""

    PENDING = "pending"
    SENDING = "sending"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    RECEIVED = "received"


RANK: Mapping[Status, int] = {
    Status.PENDING: 0,
    Status.SENDING: 1,
    Status.UNCONFIRMED: 2,
    Status.SENT: 3,
    Status.FAILED: 4,
    Status.DELIVERED: 5,
    Status.RECEIVED: 5,
    Status.READ: 6,
    Status.PLAYED: 7,
}
"""A status replaces one of lower rank, whatever the order in which they come. A provider may still fail what
it took (`failed` wins over `sent`), but not what arrived: a failure of what was delivered is ignored. One exception:
of a failure and a `sent` which the provider dates later than it, and later than when it took the message, the
`sent` wins, for providers do recover. So a message's status follows from all that was told of it, not from when it
was told. An inbound message is born `received`, beside `delivered`, so that `read` moves it on."""


class Mark(StrEnum):
    """What a failure says beyond its own message: of the recipient, or of the template that was used."""

    RECIPIENT = "recipient"
    NO_MARKETING = "no_marketing"
    TEMPLATE = "template"


class IdentityKind(StrEnum):
    """The kinds of address under which a provider knows a person.

    A person has one `BSUID` in a scope, and keeps it for as long as the phone number is theirs: it tells people
    apart where a phone number was given to somebody else. A `HANDLE` may change and be taken over.
    """

    PHONE = "phone"
    LID = "lid"
    BSUID = "bsuid"
    GROUP = "group"
    HANDLE = "handle"


@dataclass(frozen=True, slots=True)
class Identity:
    """One address of a person at a provider.

    `value` is the canonical form that the database keeps unique (phones: `elsehu.phones.canonical` digits);
    `address` is the provider's own spelling, which sending uses. `scope` separates values that mean
    different people at different places (empty: one world).
    """

    kind: IdentityKind
    value: str
    address: str
    scope: str = ""
