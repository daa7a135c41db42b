"""What messaging takes and gives over HTTP and WebSocket."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AnyHttpUrl, EmailStr, Field, StringConstraints

from elsehu.contracts.message import Kind
from elsehu.http.schemas import ApiModel, PageQuery

Text = Annotated[str, StringConstraints(max_length=65536)]
Short = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class Location(ApiModel):
    """A place."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: Short | None = None
    address: Short | None = None


class ContactPhone(ApiModel):
    """A phone on a contact card."""

    phone: Short
    type: Short | None = None


class ContactCard(ApiModel):
    """A contact card to send."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    phones: Annotated[list[ContactPhone], Field(min_length=1, max_length=10)]
    organization: Short | None = None
    email: Short | None = None
    url: Short | None = None


class ReactionIn(ApiModel):
    """A reaction to a message; an empty emoji takes it back."""

    message_id: UUID
    emoji: Annotated[str, StringConstraints(max_length=40)]


class SendMessage(ApiModel):
    """`POST /api/messages/send`, and `message:send` on the socket."""

    conversation_id: UUID
    kind: Kind = Kind.TEXT
    text: Text | None = None
    media_id: UUID | None = None
    media_url: AnyHttpUrl | None = None
    caption: Text | None = None
    reply_to_id: UUID | None = None
    location: Location | None = None
    contacts: Annotated[list[ContactCard], Field(min_length=1, max_length=257)] | None = None
    reaction: ReactionIn | None = None
    interactive: dict[str, Any] | None = None
    template: dict[str, Any] | None = None
    client_id: ClientId | None = None


class MessageError(ApiModel):
    """Why a message failed or is unconfirmed."""

    code: str
    detail: str | None
    provider_code: str | None


class MediaOut(ApiModel):
    """A message's file."""

    id: UUID
    mime_type: str
    size: int | None
    file_name: str | None
    state: str
    url: str


class ReactionOut(ApiModel):
    """A reaction to a message."""

    emoji: str
    from_company: bool
    at: datetime


class Sender(ApiModel):
    """Who wrote a message: a user, or a group's member (without an id)."""

    id: UUID | None
    name: str


class ReplyTo(ApiModel):
    """The message that a message answers; `id` is null where it is unknown here."""

    id: UUID | None
    external_id: str
    kind: str | None
    text: str | None
    direction: str | None


class MessageOut(ApiModel):
    """A message."""

    id: UUID
    conversation_id: UUID
    direction: str
    kind: str
    text: str | None
    payload: dict[str, Any] | None
    status: str
    error: MessageError | None
    external_id: str | None
    client_id: str | None
    reply_to: ReplyTo | None
    media: MediaOut | None
    reactions: list[ReactionOut]
    sender: Sender | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    created_at: datetime
    provider_timestamp: datetime | None
    edited: bool
    deleted: bool


class MessagePage(ApiModel):
    """A page of messages, newest first."""

    items: list[MessageOut]
    next_cursor: str | None


class Resolve(ApiModel):
    """What a person found out about an `unconfirmed` message."""

    outcome: Literal["sent", "failed"]


class OpenConversation(ApiModel):
    """`POST /api/conversations`."""

    contact_id: UUID
    service_instance_id: UUID
    assign_to_me: bool = False


class ConversationQuery(PageQuery):
    """Filters of the conversation list."""

    status: str | None = None
    assigned_to: str | None = None
    service_instance_id: UUID | None = None
    tabulation_id: UUID | None = None
    tag: Tag | None = None
    search: Short | None = None
    from_: Annotated[datetime | None, Field(alias="from")] = None
    to: datetime | None = None


class ConversationContact(ApiModel):
    """The customer of a conversation."""

    id: UUID
    name: str
    phone: str | None


class ConversationInstance(ApiModel):
    """The number of a conversation."""

    id: UUID
    name: str
    provider: str


class Named(ApiModel):
    """Something with an id and a name."""

    id: UUID
    name: str


class LastMessage(ApiModel):
    """The newest message of a conversation."""

    kind: str
    preview: str | None
    direction: str
    at: datetime


class ConversationOut(ApiModel):
    """A conversation."""

    id: UUID
    contact: ConversationContact
    service_instance: ConversationInstance
    status: str
    assigned_to: Named | None
    last_message: LastMessage | None
    unread_count: int
    window_expires_at: datetime | None
    tags: list[str]
    opened_at: datetime
    assigned_at: datetime | None
    first_reply_at: datetime | None
    closed_at: datetime | None
    tabulation: Named | None


class ConversationPage(ApiModel):
    """A page of conversations, newest activity first."""

    items: list[ConversationOut]
    next_cursor: str | None


class IdentityOut(ApiModel):
    """One address of a contact."""

    kind: str
    value: str


class ContactIn(ApiModel):
    """`POST /api/contacts`."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    phone: Short
    email: EmailStr | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    custom: dict[str, Any] = {}


class ContactPatch(ApiModel):
    """`PATCH /api/contacts/{id}`: what is given changes."""

    name: Short | None = None
    phone: Short | None = None
    email: EmailStr | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    custom: dict[str, Any] | None = None


class ContactQuery(PageQuery):
    """Filters of the contact list."""

    search: Short | None = None
    tag: Tag | None = None


class MergeContacts(ApiModel):
    """`POST /api/contacts/merge`: which contacts are one person."""

    contact_ids: Annotated[list[UUID], Field(min_length=2, max_length=20)]


class ContactOut(ApiModel):
    """A contact."""

    id: UUID
    name: str
    phone: str | None
    email: str | None
    identities: list[IdentityOut]
    tags: list[str]
    opted_out: bool
    custom: dict[str, Any]
    created_at: datetime


class ContactPage(ApiModel):
    """A page of contacts, newest first."""

    items: list[ContactOut]
    next_cursor: str | None
