"""What closing stale conversations is over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from elsehu.desk.schemas import Close
from elsehu.http.schemas import ApiModel
from elsehu.messaging.schemas import Tag

Status = Literal["queued", "assigned", "dormant"]
Statuses = Annotated[list[Status], Field(min_length=1, max_length=3)]
USUAL: list[Status] = ["queued", "assigned"]


class CloseStale(Close):
    """Which open conversations to close, and with what: those whose customer has not written for `idleHours`.

    Those whose customer waits for an answer stay open unless `includeUnanswered`. `dryRun` only counts.
    """

    idle_hours: Annotated[float, Field(gt=0, le=100_000)]
    status: Statuses = Field(default_factory=USUAL.copy)
    service_instance_id: UUID | None = None
    team_id: UUID | None = None
    tag: Tag | None = None
    include_unanswered: bool = False
    dry_run: bool = False


class ClosingRun(ApiModel):
    """How far it came: of `total` conversations some were `closed`, some `refused` by a rule; others changed meanwhile.

    `status` is `counted` (a dry run, without an id), `waiting`, `running`, `finished`, or `failed` with an `error`.
    """

    id: UUID | None
    status: str
    total: int
    closed: int
    refused: int
    skipped: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
