"""What reports take and give over HTTP. Durations are seconds; see docs/reports.md."""

import re
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from elsehu.http.schemas import ApiModel, Moment, PageQuery
from elsehu.messaging.schemas import ConversationContact, Named
from elsehu.settings import ZoneName

camel = to_camel
"""A column's name as the API has it."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)


def _when(text: str) -> date:
    if _DATE.fullmatch(text):
        when = day = date.fromisoformat(text)
    else:
        try:
            when = _MOMENT.validate_python(text)
        except ValidationError:
            raise ValueError("must be a date, or a time with its zone, such as 2026-11-23T08:00:00-03:00") from None
        day = when.date()
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"must be between {EARLIEST} and {LATEST}")
    return when


When = Annotated[
    date,
    PlainValidator(_when),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
"""A time, or a date: its beginning in the report's time zone."""


class ReportQuery(ApiModel):
    """Which conversations: closed `from` (included) `to` (not included), and whose.

    `operatorId` had it when it was closed, `handledBy` at some time.
    """

    from_: Annotated[When | None, Field(alias="from")] = None
    to: When | None = None
    operator_id: UUID | None = None
    handled_by: UUID | None = None
    service_instance_id: UUID | None = None
    tabulation_id: UUID | None = None
    lane_id: UUID | None = None
    clock: Literal["calendar", "business"] = "calendar"
    timezone: Annotated[ZoneName, Field(examples=["America/Sao_Paulo"])] | None = None


class ReportPageQuery(PageQuery, ReportQuery):
    """A page of the list of conversations behind a figure."""


class VolumeQuery(ReportQuery):
    """Without `from` the 30 days before `to`, without `to` until now."""

    bucket: Literal["hour", "day", "week", "month"] = "day"


class LiveQuery(ApiModel):
    """Of one number only, or all."""

    service_instance_id: UUID | None = None


class Distribution(ApiModel):
    """How one column of the list is spread, in seconds; conversations without a value are left out."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None


class Figures(ApiModel):
    """Every figure. `wait`: TME, `handling`: TMA."""

    wait: Distribution
    first_response: Distribution
    operator_response: Distribution
    customer_response: Distribution
    handling: Distribution
    queue: Distribution
    duration: Distribution


class Counts(ApiModel):
    """How much, in all of them."""

    finished: int
    messages_in: int
    messages_out: int
    replies: int
    transfers: int
    reopenings: int
    conversations: str
    kpis: Figures


class Period(ApiModel):
    """What a report is about."""

    from_: Annotated[datetime | None, Field(alias="from")]
    to: datetime | None
    clock: str
    timezone: str


class KpisOut(Period, Counts):
    """The figures of finished conversations; `conversations` lists them."""


class TabulationFigures(Counts):
    """The figures of one tabulation; null: closed without one."""

    tabulation: Named | None


class InstanceFigures(Counts):
    """The figures of one number."""

    service_instance: Named


class LaneFigures(Counts):
    """The figures of the conversations that one campaign began."""

    lane_id: UUID
    owner: str
    service_instance: Named
    created_at: datetime


class OperatorFigures(ApiModel):
    """One operator's own part in finished conversations."""

    operator: Named
    finished: int
    handled: int
    messages: int
    responses: int
    conversations: str
    handled_conversations: str
    first_response: Distribution
    operator_response: Distribution
    handling: Distribution


class TabulationsOut(Period):
    """The figures by tabulation, the most frequent first."""

    items: list[TabulationFigures]


class InstancesOut(Period):
    """The figures by number, the busiest first."""

    items: list[InstanceFigures]


class LanesOut(Period):
    """The figures by campaign, the busiest first."""

    items: list[LaneFigures]


class OperatorsOut(Period):
    """The figures by operator, the busiest first."""

    items: list[OperatorFigures]


class Bucket(ApiModel):
    """One hour, day, week or month; `local` is its beginning on the clock of the zone."""

    from_: Annotated[datetime, Field(alias="from")]
    to: datetime
    local: str
    opened: int
    finished: int
    messages_in: int
    messages_out: int
    opened_conversations: str
    conversations: str


class VolumeOut(Period):
    """How many conversations were opened and closed when."""

    bucket: str
    items: list[Bucket]


class FinishedOut(ApiModel):
    """One finished conversation with its figures."""

    id: UUID
    contact: ConversationContact
    service_instance: Named
    operator: Named | None
    tabulation: Named | None
    lane_id: UUID | None
    opened_at: datetime
    assigned_at: datetime | None
    first_reply_at: datetime | None
    closed_at: datetime
    wait: float | None
    first_response: float | None
    operator_response: float | None
    customer_response: float | None
    handling: float | None
    queue: float
    duration: float
    messages_in: int
    messages_out: int
    replies: int
    responses: int
    answers: int
    transfers: int
    reopenings: int


class FinishedPage(ApiModel):
    """A page of finished conversations, those closed last first."""

    items: list[FinishedOut]
    next_cursor: str | None


class OpenedOut(ApiModel):
    """A conversation that was opened then, finished or not."""

    id: UUID
    contact: ConversationContact
    service_instance: Named
    operator: Named | None
    status: str
    opened_at: datetime
    closed_at: datetime | None


class OpenedPage(ApiModel):
    """A page of conversations, those opened last first."""

    items: list[OpenedOut]
    next_cursor: str | None


class Ages(ApiModel):
    """How many wait for how long: up to so many seconds (null: longer)."""

    up_to: int | None
    count: int


class QueueNow(ApiModel):
    """What waits for an operator. `oldestSince`: since when the one that waits longest does."""

    count: int
    oldest_since: datetime | None
    oldest_seconds: float | None
    ages: list[Ages]
    conversations: str


class InstanceNow(ApiModel):
    """One number's open conversations."""

    service_instance: Named
    queued: int
    assigned: int
    oldest_since: datetime | None


class OperatorNow(ApiModel):
    """One operator's open conversations; `unanswered`: the customer wrote last, and waits since."""

    operator: Named
    presence: str
    assigned: int
    unanswered: int
    unanswered_since: datetime | None
    conversations: str


class LiveOut(ApiModel):
    """Open conversations now."""

    at: datetime
    queue: QueueNow
    service_instances: list[InstanceNow]
    operators: list[OperatorNow]
