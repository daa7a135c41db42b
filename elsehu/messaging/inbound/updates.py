"""What changes a message that is there: statuses, edits, deletions, reactions. What comes too early waits.

Each of them leaves the same state however often and in whatever order it is applied. The caller holds the
locks of the messages (`locks.message_key`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from elsehu.contracts.inbound import MessageArrived, MessageDeleted, MessageEdited, ReactionChanged, StatusChanged
from elsehu.contracts.message import RANK
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.inbound import reactions, statuses, waiting
from elsehu.messaging.inbound.finding import ARRIVED, Found, find
from elsehu.messaging.inbound.waiting import Early, park

Update = StatusChanged | MessageEdited | MessageDeleted | ReactionChanged
Located = tuple[UUID, Update]
"""(instance id, update)"""

EDIT = """
WITH changed AS (
    UPDATE messages m SET text = $2, edited_at = $3 WHERE m.id = $1 AND coalesce(m.edited_at, $3) <= $3
      AND (m.text IS DISTINCT FROM $2 OR m.edited_at IS NULL) RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM changed
"""

DELETE = """
WITH changed AS (
    UPDATE messages m SET deleted_at = $2 WHERE m.id = $1 AND m.deleted_at IS NULL RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM changed
"""


async def apply(uow: UnitOfWork, updates: Sequence[Located], now: datetime) -> None:
    """Apply `updates` to the messages that are there; park those whose message has not come yet."""
    if not updates:
        return
    findings = await find(uow, updates)
    places = findings.places
    await park(uow, [Early(*one) for place, one in enumerate(updates) if place not in places])
    found = [(places[place], update) for place, (_, update) in enumerate(updates) if place in places]
    await statuses.change(uow, _countable(found), now)
    for message, update in found:
        if not isinstance(update, StatusChanged):
            await _apply_one(uow, message.id, update, now)
    await _settle_named(uow, findings.named, now)
    uow.signal(SIGNAL)


def _countable(found: Iterable[tuple[Found, Update]]) -> Iterable[tuple[UUID, StatusChanged]]:
    """Yield the statuses that count: of an attempt before the last only that it arrived after all."""
    for message, update in found:
        if isinstance(update, StatusChanged) and (not message.is_former or RANK[update.status] >= ARRIVED):
            yield message.id, update


async def _apply_one(uow: UnitOfWork, message_id: UUID, update: Update, now: datetime) -> None:
    match update:
        case MessageEdited():
            await uow.execute(EDIT, message_id, update.text, update.at or now)
        case MessageDeleted():
            await uow.execute(DELETE, message_id, update.at or now)
        case ReactionChanged():
            await reactions.react(uow, message_id, update)


async def _settle_named(uow: UnitOfWork, named: Mapping[UUID, tuple[UUID, str]], now: datetime) -> None:
    """Follow up on messages whose id at the provider a status told, before the answer to their sending did."""
    if not named:
        return
    await reactions.show_sent(uow, list(named), now)
    early = await waiting.take(uow, named.values())
    await apply(uow, [(instance, event) for instance, event in early if not isinstance(event, MessageArrived)], now)
