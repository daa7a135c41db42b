"""What messaging takes and gives over HTTP and WebSocket."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, EmailStr, Field, StringConstraints

from elsehu.http.schemas import NO_NUL, ApiModel, Moment, PageQuery

Text = Annotated[str, StringConstraints(max_length=65536, pattern=NO_NUL)]
Short = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=NO_NUL)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=NO_NUL)]
LONGEST_CLIENT_ID = 120
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CLIENT_ID, pattern=NO_NUL)]
LONGEST_JSON = 16 * 1024
"""In bytes: of objects that we keep as they come."""

_NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
STATUS = r"(queued|assigned|closed|dormant)"
USER_ID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _unique(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _storable(data: dict[str, Any]) -> dict[str, Any]:
    try:
        text = orjson.dumps(data)
    except TypeError:
        detail = "is nested too deeply, or holds a number with more digits than can be kept (send it as text)"
        raise ValueError(detail) from None
    if len(text) > LONGEST_JSON:
        raise ValueError(f"may have at most {LONGEST_JSON} bytes as JSON; it has {len(text)}")
    if _NUL_IN_JSON.search(text):
        raise ValueError("holds the character NUL; leave it out")
    return data


Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_unique)]
JsonObject = Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_storable)]


class MessageError(ApiModel):
    """Why a message failed or is unconfirmed."""

    code: str
    detail: str | None
    provider_code: str | None


class MediaQuery(ApiModel):
    """`thumbnail`: a small picture instead of the file, at most 320 pixels a side, as WebP."""

    thumbnail: bool = False


class MediaOut(ApiModel):
    """A message's file. `thumbnailUrl` is there for pictures that are ready."""

    id: UUID
    mime_type: str
    size: int | None
    file_name: str | None
    state: str
    url: str
    thumbnail_url: str | None


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
    template_id: UUID | None
    request_id: str | None
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
    """Filters of the conversation list. `from` (included) and `to` (not included) are of the last activity.

    `status`: `queued`, `assigned`, `closed` (these three by default), `dormant` (of which nobody answered yet what was
    sent in bulk; for those who see all conversations).
    """

    status: Annotated[
        str | None,
        Field(pattern=rf"^{STATUS}(,{STATUS})*$", examples=["queued,assigned"]),
    ] = None
    assigned_to: Annotated[str | None, Field(pattern=rf"^(me|none|{USER_ID})$", examples=["me"])] = None
    service_instance_id: UUID | None = None
    team_id: UUID | None = None
    tabulation_id: UUID | None = None
    tag: Tag | None = None
    search: Short | None = None
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None


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
    """A conversation. `waitingSince` is the first message of the customer that nobody has answered yet."""

    id: UUID
    contact: ConversationContact
    service_instance: ConversationInstance
    status: str
    assigned_to: Named | None
    team_id: UUID | None
    last_message: LastMessage | None
    unread_count: int
    waiting_since: datetime | None
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
    """`POST /api/contacts`. A phone without a country code gets that of `[messaging] default_region`."""

    name: Name
    phone: Short
    email: EmailStr | None = None
    tags: Tags = Field(default_factory=list)
    custom: JsonObject = Field(default_factory=dict)


class ContactPatch(ApiModel):
    """`PATCH /api/contacts/{id}`: what is given changes. An empty name shows the customer's own again."""

    name: Short = ""
    phone: Short = ""
    email: EmailStr | None = None
    tags: Tags = Field(default_factory=list)
    custom: JsonObject = Field(default_factory=dict)


class ContactQuery(PageQuery):
    """Filters of the contact list."""

    search: Short | None = None
    tag: Tag | None = None


class ContactDeletion(ApiModel):
    """How to delete a contact: hide it, or (`erase`) make it unrecognisable for good."""

    erase: bool = False


class MergeContacts(ApiModel):
    """`POST /api/contacts/merge`: which contacts are one person."""

    contact_ids: Annotated[list[UUID], Field(min_length=2, max_length=20)]


class Unreachable(ApiModel):
    """Since when, and why, the provider cannot deliver to a contact."""

    at: datetime
    reason: str


class ContactOut(ApiModel):
    """A contact. `username` is what they chose to be found by; `name` is `@username` where nothing else is known."""

    id: UUID
    name: str
    username: str | None
    phone: str | None
    email: str | None
    identities: list[IdentityOut]
    tags: list[str]
    opted_out: bool
    unreachable: Unreachable | None
    custom: dict[str, Any]
    created_at: datetime


class ContactPage(ApiModel):
    """A page of contacts, newest first."""

    items: list[ContactOut]
    next_cursor: str | None
