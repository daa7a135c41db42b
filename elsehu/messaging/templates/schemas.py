"""What templates take and give over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from elsehu.contracts.template import TemplateCategory, TemplateStatus
from elsehu.http.schemas import NO_NUL, ApiModel, PageQuery
from elsehu.messaging.schemas import Short

LONGEST_BODY = 1024
LONGEST_HEADER = 60
LONGEST_URL = 2000
LONGEST_CODE = 15
ONE_LINE = r"^[^\x00\r\n\t]*$"

TemplateName = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[a-z0-9_]+$")]
Language = Annotated[
    str, StringConstraints(max_length=20, pattern=r"^[a-z]{2,3}(_[A-Za-z0-9]{2,8}){0,2}$"), Field(examples=["pt_BR"])
]
Body = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_BODY, pattern=NO_NUL)]
HeaderText = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_HEADER, pattern=ONE_LINE)]
Footer = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=ONE_LINE)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=25, strip_whitespace=True, pattern=ONE_LINE)]
Url = Annotated[str, StringConstraints(max_length=LONGEST_URL, pattern=r"^https?://[^\s\x00]+$")]
ButtonPhone = Annotated[str, StringConstraints(max_length=20, pattern=r"^\+?[0-9]{3,19}$")]
Example = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=NO_NUL)]


class HeaderIn(ApiModel):
    """What stands above the body. Only `text` has text; of a file, `example` is the provider's name for a sample."""

    format: Literal["text", "image", "video", "document", "location"]
    text: HeaderText | None = None
    example: Example | None = None


class ButtonIn(ApiModel):
    """A button. `url` has a URL, which may end in a variable; `phone` a number; `copy_code` an example of a code."""

    type: Literal["quick_reply", "url", "phone", "copy_code", "contact_request"]
    text: Label
    url: Url | None = None
    phone: ButtonPhone | None = None
    example: Example | None = None


Buttons = Annotated[list[ButtonIn], Field(max_length=10)]
Examples = Annotated[list[Example], Field(max_length=100)]


class TemplateIn(ApiModel):
    """`POST /api/templates`. `examples` are values of the body's variables; without an instance it is our own."""

    name: TemplateName
    language: Language
    category: TemplateCategory
    body: Body
    header: HeaderIn | None = None
    footer: Footer | None = None
    buttons: Buttons = Field(default_factory=list)
    examples: Examples = Field(default_factory=list)
    service_instance_id: UUID | None = None


class TemplatePatch(ApiModel):
    """`PATCH /api/templates/{id}`: what is given changes; null takes a header or footer away."""

    category: TemplateCategory = TemplateCategory.UTILITY
    body: Body = ""
    header: HeaderIn | None = None
    footer: Footer | None = None
    buttons: Buttons = Field(default_factory=list)
    examples: Examples = Field(default_factory=list)


class TemplateQuery(PageQuery):
    """Which templates to list. `sendableFrom` is a number: those that it can send now, our own among them."""

    service_instance_id: UUID | None = None
    sendable_from: UUID | None = None
    status: TemplateStatus | None = None
    category: Short | None = None
    language: Short | None = None
    search: Short | None = None


class SyncQuery(ApiModel):
    """Whose templates to fetch."""

    service_instance_id: UUID


class HeaderOut(ApiModel):
    """What stands above the body."""

    format: str
    text: str | None
    example: str | None


class ButtonOut(ApiModel):
    """A button."""

    type: str
    text: str
    url: str | None
    phone: str | None
    example: str | None


class VariableOut(ApiModel):
    """One place to fill: in which field of the request (`variables`, `headerVariables`, `buttonVariables`), by name."""

    field: str
    name: str
    example: str | None
    required: bool


class TemplateOut(ApiModel):
    """A template. Without a `serviceInstanceId` it is our own, which every number sends as text."""

    id: UUID
    name: str
    language: str
    category: str
    status: TemplateStatus
    reason: str | None
    quality: str | None
    header: HeaderOut | None
    body: str
    footer: str | None
    buttons: list[ButtonOut]
    variables: list[VariableOut]
    named: bool
    examples: list[str]
    supported: bool
    service_instance_id: UUID | None
    created_at: datetime
    updated_at: datetime


class TemplatePage(ApiModel):
    """A page of templates, by name and language."""

    items: list[TemplateOut]
    next_cursor: str | None


class SyncOut(ApiModel):
    """What a sync found: new here, changed, gone at the provider; and how many the provider has."""

    created: int
    updated: int
    removed: int
    total: int


class RenderedButtonOut(ApiModel):
    """A button as the customer gets it: `value` is its URL, number or code, or what its reply will hold."""

    type: str
    text: str
    value: str | None


class PreviewOut(ApiModel):
    """A template as it will be read. `missing` and `extra` are paths into the request (`variables.2`)."""

    header: str | None
    body: str
    footer: str | None
    buttons: list[RenderedButtonOut]
    text: str
    missing: list[str]
    extra: list[str]


View = dict[str, Any]
