"""What the API takes and gives. `docs/campaigns.md` says what each of it means."""

from datetime import datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from elsehu.plugin import ApiModel, PageQuery
from elsehu_campaigns.config import Zone

NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NUL)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=65536, pattern=NO_NUL)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Mapping = Annotated[dict[Short, Short], Field(max_length=250)]
"""Place → where its value comes from: a column of the file, or `contact.name`, `.phone`, `.email`, `.custom.<key>`.

The places `phone` and `name` are the recipient's own, beside every place of the text or template.
"""
Days = Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Steps = Annotated[list[Count], Field(max_length=60)]
"""Most messages of the first day, the second, …"""
State = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled", "failed"]
Status = Literal[
    "planned", "queued", "sent", "delivered", "read", "replied", "failed", "unconfirmed", "cancelled", "skipped"
]


def _clock(text: str) -> str:
    if text != "24:00":
        time.fromisoformat(text)
    return text


Clock = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d$"), AfterValidator(_clock)]
"""A time of day, `00:00` to `24:00`."""


class ContactFilter(ApiModel):
    """Contacts that have all `tags`, are found by `search`, and are among `ids`, as far as each is given."""

    tags: Annotated[list[Short], Field(max_length=50)] = Field(default_factory=list)
    search: Short | None = None
    ids: Annotated[list[UUID], Field(max_length=10_000)] | None = None


class SendingWindow(ApiModel):
    """When messages may leave: from `from` until before `to`, local time of `timezone`, on `days` (1 is Monday)."""

    days: Days = Field(default_factory=lambda: list(range(1, 8)))
    start: Annotated[Clock, Field(alias="from")] = "00:00"
    end: Annotated[Clock, Field(alias="to")] = "24:00"
    timezone: Zone | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "SendingWindow":
        if self.start >= self.end:
            raise ValueError("`to` must be later in the day than `from`")
        return self


class StopRules(ApiModel):
    """When a campaign pauses itself: `error_rate` of the last `over` messages failed, or so many one after the other.

    None switches a rule off.
    """

    error_rate: Annotated[float, Field(gt=0, le=1)] | None = 0.3
    over: Annotated[int, Field(ge=5, le=1000)] = 50
    consecutive_failures: Annotated[int, Field(ge=2, le=1000)] | None = 20


class Pace(ApiModel):
    """What may be changed for as long as a campaign is not over: how and when it is sent."""

    delay_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    start_at: AwareDatetime | None = None
    window: SendingWindow | None = None
    daily_limit: Count | None = None
    warm_up: Steps = Field(default_factory=list)
    stop_rules: StopRules = StopRules()
    quiet_hours: Annotated[int, Field(ge=0, le=24 * 90)] = 0


class CampaignBody(Pace):
    """A campaign to be. It has a `text` or a template, and its recipients from a file or by a filter of contacts."""

    name: Name
    service_instance_id: UUID
    text: Text | None = None
    template_id: UUID | None = None
    header_media_id: UUID | None = None
    file_id: UUID | None = None
    contact_filter: ContactFilter | None = None
    mapping: Mapping = Field(default_factory=dict)
    check_numbers: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "CampaignBody":
        if (self.text is None) == (self.template_id is None):
            raise ValueError("give either `text` or `templateId`")
        if (self.file_id is None) == (self.contact_filter is None):
            raise ValueError("give either `fileId` or `contactFilter`")
        return self


class CampaignPatch(ApiModel):
    """What to change; what is left out stays. See `EDITABLE_WHEN_PAUSED` in editing.py."""

    name: Name | None = None
    service_instance_id: UUID | None = None
    text: Text | None = None
    template_id: UUID | None = None
    header_media_id: UUID | None = None
    file_id: UUID | None = None
    contact_filter: ContactFilter | None = None
    mapping: Mapping | None = None
    check_numbers: bool | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    jitter: Annotated[float, Field(ge=0, le=1)] | None = None
    start_at: AwareDatetime | None = None
    window: SendingWindow | None = None
    daily_limit: Count | None = None
    warm_up: Steps | None = None
    stop_rules: StopRules | None = None
    quiet_hours: Annotated[int, Field(ge=0, le=24 * 90)] | None = None


class CampaignRef(ApiModel):
    """The campaign to pause or resume."""

    campaign_id: UUID


class CampaignQuery(PageQuery):
    """`?state=` of the list."""

    state: State | None = None


class RecipientQuery(PageQuery):
    """`?status=` of a campaign's recipients."""

    status: Status | None = None


class Stats(ApiModel):
    """`total` is the sum of all statuses, always; `pending` is planned and queued.

    `rate` is messages a second, of late; `eta` when the last one is likely to leave.
    """

    total: int
    pending: int
    planned: int
    queued: int
    sent: int
    delivered: int
    read: int
    replied: int
    failed: int
    unconfirmed: int
    cancelled: int
    skipped: dict[str, int]
    rate: float | None = None
    eta: datetime | None = None


class CampaignView(ApiModel):
    """A campaign as it is shown. `hold_reason` says why a running one sends nothing now."""

    id: UUID
    name: str
    state: State
    state_reason: str | None
    hold_reason: str | None
    service_instance_id: UUID
    text: str | None
    template_id: UUID | None
    header_media_id: UUID | None
    file_id: UUID | None
    contact_filter: dict[str, Any] | None
    mapping: dict[str, str]
    check_numbers: bool
    delay_seconds: float
    jitter: float
    start_at: datetime | None
    window: dict[str, Any] | None
    daily_limit: int | None
    warm_up: list[int]
    stop_rules: dict[str, Any]
    quiet_hours: int
    planned: bool
    stats: Stats | None
    created_by: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RecipientView(ApiModel):
    """One recipient: `status` is one of the stats; of a file's row its number; the message is that of the same id."""

    id: UUID
    row_number: int | None
    contact_id: UUID | None
    conversation_id: UUID | None
    name: str
    phone: str
    status: Status
    reason: str | None
    detail: str | None
    provider_code: str | None
    text: str | None
    variables: dict[str, str]
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    replied_at: datetime | None
    failed_at: datetime | None


class CampaignPage(ApiModel):
    """One page of campaigns, newest first."""

    items: list[CampaignView]
    next_cursor: str | None


class RecipientPage(ApiModel):
    """One page of recipients, in the order of the campaign."""

    items: list[RecipientView]
    next_cursor: str | None
