"""The sandbox's webhooks: `{"events": [...]}`, each event one of these models. The README shows them all.

An event says in `type` what it is; fields that are not known are ignored, types that are not known recorded.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from elsehu.plugin import (
    MEDIA_KINDS,
    CustomerTyping,
    Direction,
    Event,
    IdentitiesLinked,
    Identity,
    IdentityKind,
    InstanceChanged,
    InstanceStatus,
    Kind,
    MediaContent,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
    Status,
    StatusChanged,
    TemplateChanged,
    TemplateStatus,
    canonical,
    digits_of,
)


def _utc(at: datetime) -> datetime:
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of the range of times") from error


def _bytes(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError("is not base64") from error


def _kind(value: Any) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        return Kind.UNSUPPORTED


Time = Annotated[datetime, AfterValidator(_utc)]
ExternalId = Annotated[str, Field(min_length=1, max_length=200)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, frozen=True)


class Person(_Wire):
    """A customer: a phone in any spelling, a LID, or both; they are one person."""

    phone: str | None = Field(None, pattern=r"^\D{0,3}(\d\D{0,3}){6,20}$", max_length=60)
    lid: str | None = Field(None, pattern=r"^\d{5,40}$")
    name: str | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _has_an_address(self) -> "Person":
        if not (self.phone or self.lid):
            raise ValueError("a person needs a phone or a lid")
        return self

    def identities(self) -> tuple[Identity, ...]:
        """Return the addresses, the phone first."""
        phone = digits_of(self.phone or "")
        phones = (Identity(IdentityKind.PHONE, canonical(phone), phone),) if phone else ()
        lids = (Identity(IdentityKind.LID, self.lid, self.lid),) if self.lid else ()
        return phones + lids


class Media(_Wire):
    """A file: its bytes in `base64`; without them the sandbox makes up `size` bytes when it is asked for them."""

    mime_type: str = Field(min_length=3, max_length=120)
    file_name: str | None = Field(None, max_length=255)
    size: int | None = Field(None, ge=1, le=2**40)
    sha256: str | None = None
    base64: Annotated[bytes, BeforeValidator(_bytes)] | None = None
    is_voice: bool = False

    def content(self, message_id: str) -> MediaContent:
        """Return the file of the message `message_id`."""
        return MediaContent(
            self.mime_type,
            self.file_name,
            size=self.size if self.base64 is None else len(self.base64),
            data=self.base64,
            reference={"seed": message_id, "mime_type": self.mime_type, "size": self.size},
            is_voice=self.is_voice,
        )


class _Event(_Wire):
    at: Time | None = None

    def event(self, *, is_history: bool = False) -> Event:
        """Return what the event means."""
        raise NotImplementedError


class Message(_Event):
    """A customer writes (`inbound`, with `from`), or the phone shows what left it (`outbound`, with `to`)."""

    id: ExternalId
    direction: Literal["inbound", "outbound"] = "inbound"
    customer: Annotated[Person, Field(validation_alias=AliasChoices("from", "to"))]
    kind: Annotated[Kind, BeforeValidator(_kind)] = Kind.TEXT
    text: str | None = Field(None, max_length=65_536)
    media: Media | None = None
    payload: Mapping[str, Any] = {}
    reply_to: ExternalId | None = None
    client_ref: str | None = None
    at: Time

    @model_validator(mode="after")
    def _is_whole(self) -> "Message":
        if self.kind is Kind.TEXT and not self.text:
            raise ValueError("a message of kind text needs its text")
        if self.kind in MEDIA_KINDS and self.media is None:
            raise ValueError(f"a message of kind {self.kind} needs its media")
        return self

    def event(self, *, is_history: bool = False) -> Event:
        """Return the arrival, or the echo, of a message."""
        is_echo = self.direction == "outbound"
        return MessageArrived(
            external_id=self.id,
            direction=Direction.OUTBOUND if is_echo else Direction.INBOUND,
            sender=self.customer.identities(),
            sender_name=None if is_echo else self.customer.name,
            kind=self.kind,
            at=self.at,
            text=self.text,
            media=self.media.content(self.id) if self.media else None,
            payload=self.payload,
            reply_to=self.reply_to,
            through_api=is_echo and self.client_ref is not None,
            client_ref=self.client_ref,
            status=Status.SENT if is_echo else None,
            is_history=is_history,
        )


class MessageStatus(_Event):
    """A sent message came further: `sent`, `delivered`, `read`, `played` or `failed`."""

    id: ExternalId
    status: Literal["sent", "delivered", "read", "played", "failed"]
    client_ref: str | None = None
    error_code: str | None = None
    error_detail: str | None = None

    def event(self, *, is_history: bool = False) -> Event:
        """Return the change of status."""
        return StatusChanged(
            self.id,
            Status(self.status),
            at=self.at,
            error_code=self.error_code,
            error_detail=self.error_detail,
            client_ref=self.client_ref,
        )


class Edit(_Event):
    """A customer changes what was written."""

    id: ExternalId
    text: str = Field(min_length=1, max_length=65_536)

    def event(self, *, is_history: bool = False) -> Event:
        """Return the edit."""
        return MessageEdited(self.id, self.text, self.at)


class Delete(_Event):
    """A customer deletes a message for everyone."""

    id: ExternalId

    def event(self, *, is_history: bool = False) -> Event:
        """Return the deletion."""
        return MessageDeleted(self.id, self.at)


class Reaction(_Event):
    """A customer reacts to a message; an empty `emoji` takes the reaction back."""

    id: ExternalId
    emoji: str = Field(max_length=32)
    sender: Person = Field(validation_alias="from")
    at: Time

    def event(self, *, is_history: bool = False) -> Event:
        """Return the reaction."""
        return ReactionChanged(self.id, self.emoji, self.at, from_company=False, sender=self.sender.identities())


class Typing(_Event):
    """A customer types."""

    sender: Person = Field(validation_alias="from")
    state: Literal["composing", "recording", "paused"] = "composing"

    def event(self, *, is_history: bool = False) -> Event:
        """Return the typing."""
        return CustomerTyping(self.sender.identities(), self.state)


class Linked(_Event):
    """A phone and a LID turn out to be one person."""

    person: Person

    def event(self, *, is_history: bool = False) -> Event:
        """Return the link."""
        return IdentitiesLinked(self.person.identities())


class InstanceState(_Event):
    """The number's connection changed."""

    status: InstanceStatus
    detail: str = ""

    def event(self, *, is_history: bool = False) -> Event:
        """Return the change."""
        return InstanceChanged(self.status, self.detail)


class Template(_Event):
    """A template of the account is approved, paused, of another category, …"""

    name: str = Field(min_length=1, max_length=512)
    language: str = Field(min_length=2, max_length=20)
    id: ExternalId | None = None
    status: TemplateStatus | None = None
    category: str | None = Field(None, max_length=20)
    quality: str | None = Field(None, max_length=20)
    reason: str | None = Field(None, max_length=500)

    def event(self, *, is_history: bool = False) -> Event:
        """Return the change."""
        news = {name: getattr(self, name) for name in ("status", "category", "quality", "reason", "at")}
        return TemplateChanged(self.name, self.language, self.id, **news)


EVENTS: Mapping[str, type[_Event]] = {
    "message": Message,
    "status": MessageStatus,
    "edit": Edit,
    "delete": Delete,
    "reaction": Reaction,
    "typing": Typing,
    "linked": Linked,
    "instance": InstanceState,
    "template": Template,
}


def read_event(raw: Mapping[str, Any], *, is_history: bool = False) -> Event | None:
    """Return what `raw` means, or None for a type that is not known. Raises pydantic's ValidationError."""
    model = _model_of(raw)
    return model.model_validate(raw).event(is_history=is_history) if model else None


def time_in(raw: Mapping[str, Any]) -> datetime | None:
    """Return when the event `raw` happened, where it says so. Raises pydantic's ValidationError."""
    model = _model_of(raw)
    return model.model_validate(raw).at if model else None


def _model_of(raw: Mapping[str, Any]) -> type[_Event] | None:
    kind = raw.get("type")
    return EVENTS.get(kind) if isinstance(kind, str) else None
