"""What can be sent: the body of `POST /api/messages/send`, and of `message:send` on the socket."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, HttpUrl, StringConstraints

from elsehu.contracts.message import Kind
from elsehu.http.schemas import NO_NUL, ApiModel
from elsehu.messaging.outbound.contents import ContactCard, Location, ReactionIn
from elsehu.messaging.outbound.interactive import Interactive
from elsehu.messaging.schemas import ClientId, Text

Value = Annotated[str, StringConstraints(max_length=4096, pattern=NO_NUL)]
Values = Annotated[dict[Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)], Value], Field(max_length=200)]


class TemplateValues(ApiModel):
    """What stands in a template's places: by the variables' names, for buttons by their number (from 0)."""

    variables: Values = Field(default_factory=dict, examples=[{"1": "Ana"}])
    header_variables: Values = Field(default_factory=dict)
    button_variables: Values = Field(default_factory=dict)
    header_location: Location | None = None


class TemplateMessage(TemplateValues):
    """A template to send, with what its places hold. `headerMediaId` is the file of a header that shows one."""

    template_id: UUID
    header_media_id: UUID | None = None


class SendMessage(ApiModel):
    """`POST /api/messages/send`, and `message:send` on the socket."""

    conversation_id: UUID
    kind: Kind = Kind.TEXT
    text: Text | None = None
    media_id: UUID | None = None
    media_url: HttpUrl | None = None
    caption: Text | None = None
    reply_to_id: UUID | None = None
    location: Location | None = None
    contacts: Annotated[list[ContactCard], Field(min_length=1, max_length=257)] | None = None
    reaction: ReactionIn | None = None
    interactive: Interactive | None = None
    template: TemplateMessage | None = None
    client_id: ClientId | None = None
