"""What teams and operators are over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from elsehu.contracts.user import Role
from elsehu.desk.schemas import Ids, Name
from elsehu.http.schemas import ApiModel, PageQuery
from elsehu.messaging.schemas import Named


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, a name that leads elsewhere, a folder of zones
        raise ValueError("is no time zone; write one as America/Sao_Paulo") from None
    return name


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_zone)]
Start = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
End = Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Capacity = Annotated[int, Field(ge=0, le=10_000)]


class HoursRange(ApiModel):
    """From a time of each of these days until another; one that is not after it is on the next day."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    from_: Annotated[Start, Field(alias="from", examples=["09:00"])]
    to: Annotated[End, Field(examples=["18:00"])]

    @model_validator(mode="after")
    def _has_length(self) -> "HoursRange":
        if self.from_ == self.to:
            raise ValueError("`from` and `to` are the same; the whole day is 00:00 to 24:00")
        return self


class HoursJson(ApiModel):
    """Working hours: ranges of the week on the clock of a time zone."""

    timezone: Annotated[Zone, Field(examples=["America/Sao_Paulo"])]
    ranges: Annotated[list[HoursRange], Field(min_length=1, max_length=50)]


class TeamIn(ApiModel):
    """`POST /api/teams`. Without `serviceInstanceIds` it says nothing of numbers; without `hours` it always works."""

    name: Name
    member_ids: Ids = Field(default_factory=list)
    service_instance_ids: Ids | None = None
    hours: HoursJson | None = None


class TeamPatch(ApiModel):
    """`PATCH /api/teams/{id}`: what is given changes; lists are replaced as a whole."""

    name: Name = Field(default_factory=str)
    member_ids: Ids = Field(default_factory=list)
    service_instance_ids: Ids | None = None
    hours: HoursJson | None = None
    is_active: bool = True


class TeamQuery(PageQuery):
    """Which teams to list."""

    include_inactive: bool = False


class TeamOut(ApiModel):
    """A team: who shares its queue, the numbers that they serve beside it, and when it works."""

    id: UUID
    name: str
    is_active: bool
    members: list[Named]
    service_instance_ids: list[UUID] | None
    hours: HoursJson | None
    created_at: datetime


class TeamPage(ApiModel):
    """A page of teams by name."""

    items: list[TeamOut]
    next_cursor: str | None


class OperatorPatch(ApiModel):
    """`PATCH /api/operators/{id}`: what is given changes; null is the installation's default."""

    capacity: Capacity | None = None
    service_instance_ids: Ids | None = None
    hours: HoursJson | None = None


class OperatorOut(ApiModel):
    """A user as the desk sees him.

    `capacity`, `serviceInstanceIds` and `hours` are his own, null where he has none; `limit` is with how many open
    conversations he is given no more; `load` is how many he has; `isOnDuty` whether it is within his hours, or his
    teams'.
    """

    id: UUID
    name: str
    role: Role
    presence: str
    load: int
    limit: int
    is_on_duty: bool
    capacity: int | None
    service_instance_ids: list[UUID] | None
    hours: HoursJson | None
    team_ids: list[UUID]


class OperatorPage(ApiModel):
    """A page of active users, in the order of their making."""

    items: list[OperatorOut]
    next_cursor: str | None
