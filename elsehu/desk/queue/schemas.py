"""What the queue is over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from elsehu.http.schemas import ApiModel, PageQuery
from elsehu.messaging.schemas import ConversationOut


class QueueQuery(PageQuery):
    """Which queue: of a number, of a team, or (`none`) of numbers only; without any, all that the caller serves."""

    service_instance_id: UUID | None = None
    team_id: Annotated[UUID | Literal["none"] | None, Field(union_mode="left_to_right")] = None


class QueueItem(ApiModel):
    """A conversation that waits. `position` counts from 1 in what was asked for; `waitedSeconds` since `queuedAt`."""

    position: int
    queued_at: datetime
    waited_seconds: int
    conversation: ConversationOut


class QueuePage(ApiModel):
    """A page of the queue, oldest first. `total` is how many wait."""

    items: list[QueueItem]
    total: int
    next_cursor: str | None
