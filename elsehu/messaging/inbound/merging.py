"""Making one contact of several: when addresses turn out to be one person's, or an admin says so."""

from collections.abc import Sequence
from uuid import UUID

from elsehu import events
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.db import Row, UnitOfWork
from elsehu.events import Change
from elsehu.messaging.contacts.listing import tell_of_contact
from elsehu.messaging.conversations.folding import fold
from elsehu.messaging.inbound.waiting import conversation_key

THERE = "SELECT id FROM contacts WHERE id = ANY($1::uuid[]) AND merged_into IS NULL ORDER BY id FOR UPDATE"
IDENTITIES = "SELECT kind, value, scope, address FROM contact_identities WHERE contact_id = ANY($1::uuid[])"
LOCK_CONVERSATIONS = """
SELECT id, contact_id, instance_id, status, assigned_to FROM conversations
WHERE contact_id = ANY($1::uuid[]) AND merged_into IS NULL ORDER BY id FOR UPDATE
"""
FILL = """
UPDATE contacts k SET
    name = CASE WHEN k.name = '' THEN l.name ELSE k.name END,
    profile_name = CASE WHEN (coalesce(l.profile_name_at, '-infinity'), l.profile_name)
                           > (coalesce(k.profile_name_at, '-infinity'), k.profile_name)
                        THEN l.profile_name ELSE k.profile_name END,
    profile_name_at = greatest(k.profile_name_at, l.profile_name_at),
    phone = coalesce(k.phone, l.phone), email = coalesce(k.email, l.email),
    tags = ARRAY(SELECT DISTINCT t FROM unnest(k.tags || l.tags) t ORDER BY t),
    custom = (l.custom::jsonb || k.custom::jsonb),
    username = coalesce(nullif(k.username, ''), l.username),
    (opted_out_at, consent_at) = (SELECT n.opted_out_at, n.at FROM (VALUES
            (k.opted_out_at, coalesce(k.consent_at, k.opted_out_at)),
            (l.opted_out_at, coalesce(l.consent_at, l.opted_out_at))
        ) AS n(opted_out_at, at) ORDER BY n.at DESC NULLS LAST, n.opted_out_at NULLS LAST LIMIT 1),
    unreachable_at = CASE WHEN l.unreachable_at IS NOT NULL THEN k.unreachable_at END,
    unreachable_reason = CASE WHEN l.unreachable_at IS NOT NULL THEN k.unreachable_reason ELSE '' END,
    archived_at = NULL, search_text = k.search_text || ' ' || l.search_text, updated_at = now()
FROM contacts l WHERE k.id = $1 AND l.id = $2
"""
SETTLE_NAMES = """
UPDATE contacts c SET profile_name_at = greatest(c.profile_name_at, v.at)
FROM (SELECT contact_id, max(named_at) AS at FROM conversations WHERE contact_id = ANY($1::uuid[]) GROUP BY 1) v
WHERE c.id = v.contact_id
"""
REKEY_WAITING = "UPDATE waiting_updates SET external_id = $1 WHERE external_id = $2"


async def identities_of(uow: UnitOfWork, contact_ids: Sequence[UUID]) -> list[Identity]:
    """Return every address of the contacts."""
    rows = await uow.fetch(IDENTITIES, list(contact_ids))
    return [Identity(IdentityKind(row["kind"]), row["value"], row["address"], row["scope"]) for row in rows]


async def merge(uow: UnitOfWork, contact_ids: Sequence[UUID]) -> None:
    """Make one of the contacts: the first is kept, with everybody's addresses, conversations and messages.

    The caller holds the locks of all their addresses. Those that somebody else merged meanwhile are passed over.
    """
    there = {row["id"] for row in await uow.fetch(THERE, list(contact_ids))}
    kept, *lost = [contact_id for contact_id in dict.fromkeys(contact_ids) if contact_id in there]
    for contact_id in lost:
        await _merge_into(uow, kept, contact_id)


async def _merge_into(uow: UnitOfWork, kept: UUID, lost: UUID) -> None:
    await uow.execute(SETTLE_NAMES, [kept, lost])
    await _fold_open_conversations(uow, kept, lost)
    await uow.execute("UPDATE conversations SET contact_id = $1 WHERE contact_id = $2", kept, lost)
    await uow.execute("UPDATE contact_identities SET contact_id = $1 WHERE contact_id = $2", kept, lost)
    await uow.execute("UPDATE identity_notes SET contact_id = $1 WHERE contact_id = $2", kept, lost)
    await uow.execute(REKEY_WAITING, conversation_key(kept), conversation_key(lost))
    await uow.execute(FILL, kept, lost)
    await uow.execute(
        "UPDATE contacts SET merged_into = $1, phone = NULL, updated_at = now() WHERE id = $2", kept, lost
    )
    await tell_of_contact(uow, kept)


async def _fold_open_conversations(uow: UnitOfWork, kept: UUID, lost: UUID) -> None:
    rows = await uow.fetch(LOCK_CONVERSATIONS, [kept, lost])
    is_open = {(row["contact_id"], row["instance_id"]): row for row in rows if row["status"] != "closed"}
    for (contact_id, instance_id), folded in is_open.items():
        survivor = is_open.get((kept, instance_id))
        if contact_id == lost and survivor is not None:
            await fold(uow, survivor["id"], folded["id"])
            gone = "conversation:updated" if folded["status"] == "dormant" else "conversation:closed"
            await events.record(uow, [_moved(gone, folded), _moved("conversation:updated", survivor)])


def _moved(type_: str, before: Row) -> Change:
    """Return the event of a conversation that those who saw it `before` may see no more."""
    owner = before["assigned_to"]
    data = {"previousAssignee": owner and str(owner), "wasQueued": before["status"] == "queued"}
    return Change(type_, before["id"], before["id"], data)
