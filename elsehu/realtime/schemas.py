"""What clients send over the socket."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from elsehu.contracts.user import Caller
from elsehu.http.schemas import ApiModel

NOBODY = "none"


class Nothing(ApiModel):
    """An event without data."""


class Auth(ApiModel):
    """`auth`."""

    token: Annotated[str, Field(min_length=1, max_length=8192)]


class InboxFilter(ApiModel):
    """Of which conversations the inbox gets events. What is left out does not matter; dormant ones are asked for."""

    status: list[Literal["queued", "assigned", "closed", "dormant"]] | None = None
    assigned_to: Literal["me", "none"] | UUID | None = None
    service_instance_id: UUID | None = None

    def passes(self, labels: Mapping[str, str], caller: Caller, *, moves: bool) -> bool:
        """Whether an event with `labels` passes.

        One that `moves` its conversation is judged by its number alone: a list must also learn of what has
        left it. Nothing becomes dormant that was not, so no list waits for that.
        """
        if self.service_instance_id and labels.get("serviceInstanceId") != str(self.service_instance_id):
            return False
        if moves and labels.get("status") != "dormant":
            return True
        if self.status is None and labels.get("status") == "dormant":
            return False
        if self.status is not None and labels.get("status") not in self.status:
            return False
        return self.assigned_to is None or labels.get("assignedTo") == self._assignee(caller)

    def _assignee(self, caller: Caller) -> str:
        return str(caller.user_id) if self.assigned_to == "me" else str(self.assigned_to)


class InboxSubscribe(ApiModel):
    """`inbox:subscribe`."""

    filter: InboxFilter = InboxFilter()


class ConversationRef(ApiModel):
    """An event about a conversation."""

    conversation_id: UUID


class Resume(ApiModel):
    """`resume`: since `cursor`, with the rooms and the inbox to look at from now on."""

    cursor: Annotated[str, Field(max_length=16384)]
    join: Annotated[tuple[UUID, ...], Field(max_length=200)] = ()
    inbox: InboxFilter | None = None


class OperatorStatus(ApiModel):
    """`operator:status`."""

    status: Literal["online", "away", "offline"]
