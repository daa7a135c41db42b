"""Holding a conversation while it is changed: ingest and other desks wait, so that nobody is surprised."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu import events
from elsehu.contracts.errors import Conflict
from elsehu.db import UnitOfWork
from elsehu.events import Change
from elsehu.messaging.conversations.views import conversation_not_found

HOLD = """
SELECT id, status, assigned_to, team_id, contact_id, instance_id, tags, merged_into FROM conversations
WHERE id = $1 FOR UPDATE
"""
OWNER_NAME = "SELECT name FROM users WHERE id = $1"
"""Asked for once the row is held: a join would be with the owner of before the wait."""


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation as it stands, its row locked until the transaction ends."""

    id: UUID
    status: str
    assigned_to: UUID | None
    owner_name: str | None
    team_id: UUID | None
    contact_id: UUID
    instance_id: UUID
    tags: tuple[str, ...]
    merged_into: UUID | None

    @property
    def owner(self) -> dict[str, Any] | None:
        """Who has it, as the API shows people."""
        return None if self.assigned_to is None else {"id": str(self.assigned_to), "name": self.owner_name}

    def moved(self, type_: str = "conversation:updated") -> Change:
        """Return the event of a change after which somebody may see it no more."""
        was_queued = self.status == "queued"
        before = {"previousAssignee": self.assigned_to and str(self.assigned_to), "wasQueued": was_queued}
        if was_queued and self.team_id:
            before["wasTeam"] = str(self.team_id)
        return Change(type_, self.id, self.id, before)


async def hold(uow: UnitOfWork, conversation_id: UUID) -> Held:
    """Lock a conversation and return it. Raises NotFound."""
    row = await uow.fetch_row(HOLD, conversation_id)
    if row is None:
        raise conversation_not_found()
    name = await uow.fetch_value(OWNER_NAME, row["assigned_to"]) if row["assigned_to"] else None
    return Held(**{**row, "tags": tuple(row["tags"]), "owner_name": name})


async def tell(uow: UnitOfWork, change: Change) -> None:
    """Put one event into the outbox."""
    await events.record(uow, [change])


def updated(held: Held) -> Change:
    """Return the event of a change after which everybody sees it who saw it."""
    return Change("conversation:updated", held.id, held.id)


def require_open(held: Held) -> None:
    """Raise Conflict unless the conversation is open."""
    if held.status == "closed":
        raise Conflict("conversation_closed", "This conversation is closed. Reopen it, or start a new one.")
