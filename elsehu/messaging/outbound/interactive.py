"""Interactive messages that can be sent: six types, told apart by `type`."""

from typing import Annotated, Any, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import (
    Field,
    HttpUrl,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from elsehu.http.schemas import NO_NUL, ApiModel
from elsehu.messaging.schemas import JsonObject

MOST_CHOICES = 100
Said = Annotated[str, StringConstraints(min_length=1, max_length=8192, pattern=NO_NUL)]
Brief = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_NUL)]
"""Lengths that no provider exceeds; each provider's own are in its `InteractiveLimits`."""


def _untagged(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Name fields as the caller wrote them: pydantic puts the name of a union's member into their paths."""
    try:
        return validate(value)
    except ValidationError as error:
        found = [
            InitErrorDetails(type=PydanticCustomError(one["type"], one["msg"]), loc=one["loc"][1:], input=one["input"])
            for one in error.errors(include_url=False)
        ]
        raise ValidationError.from_exception_data(error.title, found) from None


class HeaderText(ApiModel):
    """A line above the body."""

    format: Literal["text"]
    text: Brief


class HeaderMedia(ApiModel):
    """A file above the body: the id of an upload."""

    format: Literal["image", "video", "document"]
    media_id: UUID


Header: TypeAlias = Annotated[HeaderText | HeaderMedia, Field(discriminator="format"), WrapValidator(_untagged)]


class _Framed(ApiModel):
    header: Header | None = None
    body: Said
    footer: Brief | None = None


class ReplyButton(ApiModel):
    """A button; pressing it answers with its id and title."""

    id: Brief
    title: Brief


class InteractiveButtons(_Framed):
    """Buttons to answer with."""

    type: Literal["buttons"]
    buttons: Annotated[list[ReplyButton], Field(min_length=1, max_length=MOST_CHOICES)]


class ListRow(ApiModel):
    """A choice; choosing it answers with its id and title."""

    id: Brief
    title: Brief
    description: Brief | None = None


class ListSection(ApiModel):
    """Choices that belong together. Where there are several sections, each needs a title."""

    title: Brief | None = None
    rows: Annotated[list[ListRow], Field(min_length=1, max_length=MOST_CHOICES)]


class InteractiveList(_Framed):
    """A list to choose from, behind a button with `label`."""

    type: Literal["list"]
    label: Brief
    sections: Annotated[list[ListSection], Field(min_length=1, max_length=MOST_CHOICES)]


class InteractiveLink(_Framed):
    """A button with `label` that opens a page."""

    type: Literal["link"]
    label: Brief
    url: HttpUrl


class InteractiveFlow(_Framed):
    """A button with `label` that opens a form which the provider knows, by id or by name.

    With `navigate` it opens at `screen` with `data`; with `data_exchange` the form's own server says how it opens.
    """

    type: Literal["flow"]
    label: Brief
    flow_id: Brief | None = None
    flow_name: Brief | None = None
    token: Brief | None = None
    action: Literal["navigate", "data_exchange"] = "navigate"
    screen: Brief | None = None
    data: JsonObject | None = None
    draft: bool = False

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.flow_id is None) == (self.flow_name is None):
            raise ValueError("give exactly one of flowId and flowName")
        return self


class InteractiveLocationRequest(ApiModel):
    """Asks the customer for a place; the answer is a message of kind `location`."""

    type: Literal["location_request"]
    body: Said


class InteractiveContactRequest(ApiModel):
    """Asks the customer for their phone number."""

    type: Literal["contact_request"]
    body: Said


Interactive: TypeAlias = Annotated[
    InteractiveButtons
    | InteractiveList
    | InteractiveLink
    | InteractiveFlow
    | InteractiveLocationRequest
    | InteractiveContactRequest,
    Field(discriminator="type"),
    WrapValidator(_untagged),
]
