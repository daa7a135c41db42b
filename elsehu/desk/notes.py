"""What colleagues write on a conversation: notes and tags."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from elsehu.contracts.user import Caller
from elsehu.db import UnitOfWork
from elsehu.desk import timeline
from elsehu.desk.holding import hold, tell, updated

SET_TAGS = "UPDATE conversations SET tags = $2 WHERE id = $1"


async def add_note(uow: UnitOfWork, caller: Caller, conversation_id: UUID, text: str) -> dict[str, Any]:
    """Add a note and return its step in the timeline. Raises NotFound."""
    held = await hold(uow, conversation_id)
    row = await timeline.record(uow, caller, held.id, "note", {"text": text})
    await tell(uow, updated(held))
    return timeline.entry_view(row)


async def set_tags(uow: UnitOfWork, caller: Caller, conversation_id: UUID, tags: Sequence[str]) -> None:
    """Replace the tags. The same tags again do nothing. Raises NotFound."""
    held = await hold(uow, conversation_id)
    if tuple(tags) != held.tags:
        await uow.execute(SET_TAGS, held.id, tags)
        await timeline.record(uow, caller, held.id, "tags", {"tags": tags})
        await tell(uow, updated(held))
