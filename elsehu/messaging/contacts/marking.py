"""What failures say of a customer beyond the message that failed: cannot be reached, wants no marketing."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from elsehu.contracts.message import Mark
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.contacts.consent import set_consents

CONTACTS = "SELECT DISTINCT contact_id FROM conversations WHERE id = ANY($1::uuid[])"

UNREACHABLE = """
WITH held AS (
    SELECT c.id, c.unreachable_at FROM contacts c WHERE c.id = ANY($1::uuid[])
      AND coalesce(c.unreachable_at < $3, true)
      AND NOT EXISTS (SELECT 1 FROM conversations v WHERE v.contact_id = c.id AND v.last_inbound_at > $3)
    ORDER BY c.id FOR NO KEY UPDATE OF c
), changed AS (
    UPDATE contacts c SET unreachable_at = $3, unreachable_reason = $2, updated_at = now()
    FROM held h WHERE c.id = h.id RETURNING c.id, h.unreachable_at
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', v.id, v.id FROM changed c JOIN conversations v ON v.contact_id = c.id
WHERE c.unreachable_at IS NULL AND v.status <> 'closed'
"""
"""Who has written since then can be reached."""

REACHED = """
WITH held AS (
    SELECT c.id FROM contacts c
    WHERE c.id IN (SELECT contact_id FROM conversations WHERE id = ANY($1::uuid[])) AND c.unreachable_at IS NOT NULL
    ORDER BY c.id FOR NO KEY UPDATE OF c
), changed AS (
    UPDATE contacts c SET unreachable_at = NULL, unreachable_reason = '', updated_at = now()
    FROM held h WHERE c.id = h.id RETURNING c.id
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', v.id, v.id FROM changed c JOIN conversations v ON v.contact_id = c.id
WHERE v.status <> 'closed'
"""


async def mark(uow: UnitOfWork, conversation_ids: Sequence[UUID], mark: Mark, reason: str, at: datetime) -> None:
    """Note what a failure at the time `at` says of conversations' customers. A mark of a template is not theirs."""
    if mark is Mark.TEMPLATE or not conversation_ids:
        return
    contacts = [row["contact_id"] for row in await uow.fetch(CONTACTS, list(conversation_ids))]
    if mark is Mark.RECIPIENT:
        await mark_unreachable(uow, contacts, reason, at)
    else:
        await set_consents(uow, [(contact_id, False, at) for contact_id in contacts])


async def mark_unreachable(uow: UnitOfWork, contact_ids: Sequence[UUID], reason: str, at: datetime) -> None:
    """Note that the provider could not deliver to contacts at the time `at`; `reason` is for people."""
    await uow.execute(UNREACHABLE, list(contact_ids), reason, at)
    uow.signal(SIGNAL)


async def reached(uow: UnitOfWork, conversation_ids: Sequence[UUID]) -> None:
    """Note that something was delivered in conversations. Writes nothing where nobody doubted it."""
    if conversation_ids and (await uow.execute(REACHED, list(conversation_ids))) != "INSERT 0 0":
        uow.signal(SIGNAL)
