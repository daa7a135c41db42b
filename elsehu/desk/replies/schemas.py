"""What canned replies are over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from elsehu.desk.replies.places import unknown_in
from elsehu.http.schemas import NO_NUL, ApiModel, PageQuery
from elsehu.messaging.schemas import Short


def _fillable(text: str) -> str:
    unknown = unknown_in(text)
    if unknown:
        raise ValueError(f"has a place that nothing can fill in: {{{{{unknown[0]}}}}}; see docs/desk.md")
    return text


Shortcut = Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\s\x00]+$")]
Title = Annotated[str, StringConstraints(max_length=120, strip_whitespace=True, pattern=NO_NUL)]
ReplyText = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=NO_NUL), AfterValidator(_fillable)]


class QuickReplyIn(ApiModel):
    """`POST /api/quick-replies`. `shared`: everybody's; for supervisors. Else it is the caller's own."""

    shortcut: Annotated[Shortcut, Field(examples=["hello"])]
    title: Title = ""
    text: Annotated[ReplyText, Field(examples=["Hello {{contact.firstName}}, how can I help you?"])]
    shared: bool = False


class QuickReplyPatch(ApiModel):
    """`PATCH /api/quick-replies/{id}`: what is given changes."""

    shortcut: Shortcut = Field(default_factory=str)
    title: Title = ""
    text: ReplyText = Field(default_factory=str)


class QuickReplyQuery(PageQuery):
    """Which canned replies: with all the words of `search` in them, everybody's or the caller's own."""

    search: Short | None = None
    shared: bool | None = None


class QuickReplyOut(ApiModel):
    """A canned reply; `places` are those in its text."""

    id: UUID
    shortcut: str
    title: str
    text: str
    shared: bool
    places: list[str]
    created_at: datetime
    updated_at: datetime


class QuickReplyPage(ApiModel):
    """A page of canned replies by shortcut."""

    items: list[QuickReplyOut]
    next_cursor: str | None


class RenderIn(ApiModel):
    """For which conversation to fill the places in."""

    conversation_id: UUID


class RenderOut(ApiModel):
    """The text as it can be sent; `missing` are places that are left empty because nothing is known."""

    text: str
    missing: list[str]
