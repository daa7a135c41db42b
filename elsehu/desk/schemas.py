"""What the desk takes and gives over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from elsehu.http.schemas import NO_NUL, ApiModel, PageQuery
from elsehu.messaging.schemas import JsonObject, Tags

Name = Annotated[str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True, pattern=NO_NUL)]
Group = Annotated[str, StringConstraints(max_length=120, strip_whitespace=True, pattern=NO_NUL)]
Rule = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=NO_NUL)]
Position = Annotated[int, Field(ge=0, le=1_000_000)]
ReturnMinutes = Annotated[int, Field(ge=1, le=43_200)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=8000, strip_whitespace=True, pattern=NO_NUL)]


def _once(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


Ids = Annotated[list[UUID], Field(max_length=1000), AfterValidator(_once)]


class RequiredField(ApiModel):
    """A field that must be filled in on closing: its key in `fields`, and what to call it on a screen."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=NO_NUL)]
    label: Group | None = None


def _named(field: Any) -> Any:
    return {"name": field} if isinstance(field, str) else field


def _unique(fields: list[RequiredField]) -> list[RequiredField]:
    if len({field.name for field in fields}) < len(fields):
        raise ValueError("names a field twice")
    return fields


RequiredFields = Annotated[
    list[Annotated[RequiredField, BeforeValidator(_named)]], Field(max_length=30), AfterValidator(_unique)
]


class TabulationIn(ApiModel):
    """`POST /api/tabulations`. A required field may be given by its name alone.

    `serviceInstanceIds`: only for conversations on these numbers. `returnMinutes`: a customer who writes again so soon
    goes back to the operator who closed.
    """

    name: Name
    group: Group = ""
    position: Position = 0
    rule: Rule | None = None
    required_fields: RequiredFields = Field(default_factory=list)
    notes_required: bool = False
    service_instance_ids: Ids | None = None
    return_minutes: ReturnMinutes | None = None


class TabulationPatch(ApiModel):
    """`PATCH /api/tabulations/{id}`: what is given changes."""

    name: Name = Field(default_factory=str)
    group: Group = ""
    position: Position = 0
    rule: Rule | None = None
    required_fields: RequiredFields = Field(default_factory=list)
    notes_required: bool = False
    service_instance_ids: Ids | None = None
    return_minutes: ReturnMinutes | None = None
    is_active: bool = True


class TabulationQuery(PageQuery):
    """Which tabulations to list: with `serviceInstanceId` those for conversations on that number."""

    include_inactive: bool = False
    service_instance_id: UUID | None = None


class TabulationOut(ApiModel):
    """A reason for closing."""

    id: UUID
    name: str
    group: str
    position: int
    is_active: bool
    rule: str | None
    required_fields: list[RequiredField]
    notes_required: bool
    service_instance_ids: list[UUID] | None
    return_minutes: int | None


class TabulationPage(ApiModel):
    """A page of tabulations, by position and name."""

    items: list[TabulationOut]
    next_cursor: str | None


class Assign(ApiModel):
    """Whose the conversation becomes; without `userId` the caller's."""

    user_id: UUID | None = None


class Transfer(ApiModel):
    """To whom, to which team, or (`queue`) into the queue of its number; and why."""

    user_id: UUID | None = None
    team_id: UUID | None = None
    queue: bool = False
    reason: Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True, pattern=NO_NUL)] | None = None

    @model_validator(mode="after")
    def _one_of_these(self) -> "Transfer":
        if sum((self.user_id is not None, self.team_id is not None, self.queue)) != 1:
            raise ValueError("give userId, or teamId, or queue: true")
        return self


class Close(ApiModel):
    """Why, with what the tabulation demands."""

    tabulation_id: UUID
    notes: Annotated[str, StringConstraints(max_length=8000, strip_whitespace=True, pattern=NO_NUL)] | None = None
    fields: JsonObject = Field(default_factory=dict)


class Reopen(ApiModel):
    """Whose it becomes: the caller's, or (`queue`) the queue's."""

    queue: bool = False


class NoteIn(ApiModel):
    """A note for colleagues; the customer never sees it."""

    text: Note


class TagsIn(ApiModel):
    """All tags that the conversation is to have."""

    tags: Tags


class Actor(ApiModel):
    """Who did something: a user, or (`id` null) an API key."""

    id: UUID | None
    name: str


class TimelineEntryOut(ApiModel):
    """One step. What `details` holds depends on `action`; see docs/desk.md."""

    id: str
    action: str
    actor: Actor
    details: dict[str, Any]
    at: datetime


class TimelinePage(ApiModel):
    """A page of a conversation's timeline, newest first."""

    items: list[TimelineEntryOut]
    next_cursor: str | None
