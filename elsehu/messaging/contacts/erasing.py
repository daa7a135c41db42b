"""Making a contact unrecognisable, as data-protection law gives people a right to.

Erased in one transaction: names, phone, e-mail, tags and own fields, every address that they have or had, what
was said in all the contact's conversations (texts, payloads, previews, closing notes, reactions, what waited for
those messages), and the files, whose bytes are deleted right after. What other slices and plugins keep is erased by
their `ContactData`, in the same transaction. Rows, times, statuses and tabulations stay, so
that reports do not change.

Raw webhooks and dead letters in which an address turns up are deleted.

Not erased: the providers' own ids of messages (some encode the number; they stay so that a repeated delivery is
known), backups, what the provider and the customer's phone keep, and the memory that this person had opted out. Who
writes again after that is a new contact.
"""

from collections.abc import Sequence
from uuid import UUID

from elsehu.contracts.errors import Conflict
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.kernel import Kernel
from elsehu.media import retention
from elsehu.messaging.contacts.data import Person, keepers
from elsehu.messaging.contacts.editing import lock_addresses
from elsehu.messaging.contacts.listing import kept_contact
from elsehu.messaging.inbound.waiting import conversation_key

SHORTEST_TRACE = 6
"""What is shorter than any address would turn up by chance."""
LONG_BRAZILIAN = 13

LOCK_CONVERSATIONS = """
SELECT id, status, instance_id FROM conversations WHERE contact_id = $1 ORDER BY id FOR UPDATE
"""
PERSON = """
WITH RECURSIVE same AS (
    SELECT $1::uuid AS id UNION SELECT c.id FROM same JOIN contacts c ON c.merged_into = same.id
)
SELECT (SELECT array_agg(id) FROM same) AS ids,
       array(SELECT v.id FROM conversations v JOIN same ON v.contact_id = same.id) AS conversation_ids,
       array(SELECT phone FROM contacts JOIN same USING (id) WHERE phone IS NOT NULL) AS phones,
       array(SELECT value FROM contact_identities WHERE contact_id IN (SELECT id FROM same)
             UNION SELECT address FROM contact_identities WHERE contact_id IN (SELECT id FROM same)
             UNION SELECT value FROM identity_notes WHERE contact_id IN (SELECT id FROM same)) AS addresses
"""
FORGET_WEBHOOKS = """
DELETE FROM webhook_events w USING unnest($2::text[]) AS trace
WHERE (w.instance_id = ANY($1::uuid[]) OR w.instance_id IS NULL) AND strpos(w.body::text, trace) > 0
"""
FORGET_DEAD_LETTERS = """
DELETE FROM dead_letters d USING unnest($1::text[]) AS trace
WHERE strpos(d.item::text, trace) > 0 OR strpos(d.error, trace) > 0
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
    person, traces = await person_of(uow, kept)
    await _erase_conversations(uow, person.conversation_ids)
    await uow.execute(FORGET_WEBHOOKS, list({row["instance_id"] for row in rows}), traces)
    await uow.execute(FORGET_DEAD_LETTERS, traces)
    for one in keepers(kernel):
        await one.erase(uow, person)
    await uow.execute("DELETE FROM waiting_updates WHERE external_id = $1", conversation_key(kept))
    await uow.execute("DELETE FROM contact_identities WHERE contact_id = $1", kept)
    await uow.execute("DELETE FROM identity_notes WHERE contact_id = $1", kept)
    await uow.execute(ERASE_CONTACTS, kept)
    return kept


async def person_of(uow: UnitOfWork, contact_id: UUID) -> tuple[Person, list[str]]:
    """Return a kept contact as others know it, and every text by which a webhook may have named it."""
    row = await uow.fetch_row(PERSON, contact_id)
    assert row is not None
    person = Person(row["ids"], row["phones"], row["conversation_ids"])
    traces = {one for one in (*row["phones"], *row["addresses"]) if len(one) >= SHORTEST_TRACE}
    return person, sorted(traces | {_without_ninth(one) for one in traces})


def _without_ninth(digits: str) -> str:
    """Return a Brazilian mobile number as providers also spell it; anything else as it is."""
    has_ninth = digits.startswith("55") and len(digits) == LONG_BRAZILIAN and digits.isdecimal()
    return digits[:4] + digits[5:] if has_ninth else digits


async def _erase_conversations(uow: UnitOfWork, conversation_ids: Sequence[UUID]) -> None:
    await uow.execute(ERASE_WAITING, conversation_ids)
    await uow.execute(ERASE_REACTIONS, conversation_ids)
    files = [row["media_id"] for row in await uow.fetch(FILES, conversation_ids)]
    await uow.execute(ERASE_MESSAGES, conversation_ids)
    await retention.discard(uow, [row["id"] for row in await uow.fetch(UNUSED, files)])
    await uow.execute(ERASE_CONVERSATIONS, conversation_ids)
    await uow.execute(TELL, conversation_ids)
    uow.signal(SIGNAL)
