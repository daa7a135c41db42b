"""Making a contact unrecognisable, as data-protection law gives people a right to.

Erased in one transaction: names, phone, e-mail, tags and own fields, every address that they have or had, what
was said in all the contact's conversations (texts, payloads, previews, closing notes, reactions, what waited for
those messages), and the files, whose bytes the next media sweep deletes. What other slices keep of the
conversations is erased by their `Eraser`s, in the same transaction. Rows, times, statuses and tabulations stay, so
that reports do not change.

Not erased here, and left to the coming work on data protection: raw webhook bodies and dead letters (the
first go by themselves after `[webhooks] raw_event_days`), the providers' own ids of messages (some encode the
number; they stay so that a repeated delivery is known), backups, what the provider and the customer's
phone keep, and the memory that this person had opted out. Who writes again after that is a new contact.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from elsehu.contracts.errors import Conflict
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.kernel import Kernel
from elsehu.media import retention
from elsehu.messaging.contacts.editing import lock_addresses
from elsehu.messaging.contacts.listing import kept_contact
from elsehu.messaging.inbound.waiting import conversation_key

Eraser = Callable[[UnitOfWork, Sequence[UUID]], Awaitable[None]]
"""Erases what a slice keeps of conversations, by their ids."""


class Erasers(tuple[Eraser, ...]):
    """The process's erasers of other slices."""

    __slots__ = ()


LOCK_CONVERSATIONS = """
SELECT id, status FROM conversations WHERE contact_id = $1 ORDER BY id FOR UPDATE
"""
ERASE_CONTACTS = """
WITH RECURSIVE same AS (
    SELECT $1::uuid AS id UNION SELECT c.id FROM same JOIN contacts c ON c.merged_into = same.id
)
UPDATE contacts c SET name = '', profile_name = '', profile_name_at = NULL, username = '', phone = NULL, email = NULL,
    tags = '{}', custom = '{}', search_text = '', opted_out_at = NULL, consent_at = NULL,
    unreachable_at = NULL, unreachable_reason = '',
    archived_at = coalesce(c.archived_at, now()), updated_at = now()
FROM same WHERE c.id = same.id
"""
ERASE_CONVERSATIONS = """
UPDATE conversations SET last_message_preview = NULL, tags = '{}', closing_notes = NULL, closing_fields = NULL,
    status = 'closed', closed_at = coalesce(closed_at, now())
WHERE id = ANY($1::uuid[])
"""
"""Dormant ones, in which nobody works, are closed by it."""

ERASE_WAITING = """
DELETE FROM waiting_updates w USING messages m
WHERE m.conversation_id = ANY($1::uuid[]) AND w.instance_id = m.instance_id AND w.external_id = m.external_id
"""
ERASE_REACTIONS = """
DELETE FROM message_reactions r USING messages m WHERE m.conversation_id = ANY($1::uuid[]) AND r.message_id = m.id
"""
FILES = """
SELECT DISTINCT media_id FROM messages WHERE conversation_id = ANY($1::uuid[]) AND media_id IS NOT NULL
"""
UNUSED = """
SELECT f.id FROM unnest($1::uuid[]) AS f(id) WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.media_id = f.id)
"""
"""Files that were sent to others too stay theirs."""

ERASE_MESSAGES = """
UPDATE messages SET text = NULL, payload = NULL, media_id = NULL, author_name = NULL, provider_code = NULL,
    error_detail = CASE WHEN status = 'pending' THEN 'The contact was erased before this could leave.' END,
    error_code = CASE WHEN status = 'pending' THEN 'contact_erased' ELSE error_code END,
    status_rank = CASE WHEN status = 'pending' THEN 4 ELSE status_rank END,
    status = CASE WHEN status = 'pending' THEN 'failed' ELSE status END
WHERE conversation_id = ANY($1::uuid[])
"""
TELL = """
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', id, id FROM unnest($1::uuid[]) AS id
"""


async def erase(uow: UnitOfWork, kernel: Kernel, contact_id: UUID) -> UUID:
    """Erase a contact and return its id. Raises NotFound, Conflict `conversation_open` and AddressesChanged."""
    kept = await kept_contact(uow, contact_id)
    await lock_addresses(uow, [kept])
    rows = await uow.fetch(LOCK_CONVERSATIONS, kept)
    still_open = [str(row["id"]) for row in rows if row["status"] in ("queued", "assigned")]
    if still_open:
        detail = "The contact has open conversations: see conversationIds. Close them first."
        raise Conflict("conversation_open", detail, conversationIds=still_open)
    await _erase_conversations(uow, kernel, [row["id"] for row in rows])
    await uow.execute("DELETE FROM waiting_updates WHERE external_id = $1", conversation_key(kept))
    await uow.execute("DELETE FROM contact_identities WHERE contact_id = $1", kept)
    await uow.execute("DELETE FROM identity_notes WHERE contact_id = $1", kept)
    await uow.execute(ERASE_CONTACTS, kept)
    return kept


async def _erase_conversations(uow: UnitOfWork, kernel: Kernel, conversation_ids: Sequence[UUID]) -> None:
    await uow.execute(ERASE_WAITING, conversation_ids)
    await uow.execute(ERASE_REACTIONS, conversation_ids)
    files = [row["media_id"] for row in await uow.fetch(FILES, conversation_ids)]
    await uow.execute(ERASE_MESSAGES, conversation_ids)
    await retention.discard(uow, [row["id"] for row in await uow.fetch(UNUSED, files)])
    await uow.execute(ERASE_CONVERSATIONS, conversation_ids)
    for eraser in kernel.parts.get(Erasers, ()):
        await eraser(uow, conversation_ids)
    await uow.execute(TELL, conversation_ids)
    uow.signal(SIGNAL)
