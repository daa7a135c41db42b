"""Opening a conversation from our side. The partial unique index decides between it and a customer who writes now."""

from datetime import datetime
from uuid import UUID

from elsehu import events
from elsehu.contracts.errors import Conflict, NotFound
from elsehu.db import UnitOfWork
from elsehu.events import Change
from elsehu.ids import new_id
from elsehu.messaging.contacts.listing import hold_contact

INSTANCE = "SELECT name, is_active FROM service_instances WHERE id = $1"
HAS_ADDRESS = "SELECT EXISTS (SELECT 1 FROM contact_identities WHERE contact_id = $1)"
OPEN = """
INSERT INTO conversations (id, contact_id, instance_id, status, assigned_to, assigned_at, opened_at,
                           last_activity_at, tags, window_expires_at)
SELECT $1, $2, $3, CASE WHEN $4::uuid IS NULL THEN 'queued' ELSE 'assigned' END, $4,
       CASE WHEN $4::uuid IS NOT NULL THEN $5::timestamptz END, $5, $5, '{}',
       (SELECT max(window_expires_at) FROM conversations WHERE contact_id = $2 AND instance_id = $3)
ON CONFLICT (contact_id, instance_id) WHERE status <> 'closed' DO NOTHING
RETURNING id
"""
WAKE = """
UPDATE conversations SET status = CASE WHEN $3::uuid IS NULL THEN 'queued' ELSE 'assigned' END, assigned_to = $3,
    assigned_at = CASE WHEN $3::uuid IS NOT NULL THEN $4::timestamptz END, opened_at = $4, first_reply_at = NULL,
    last_activity_at = greatest(last_activity_at, $4)
WHERE contact_id = $1 AND instance_id = $2 AND status = 'dormant' RETURNING id
"""
"""A dormant one is taken over: nobody works in it, and its bulk messages are what is gone on from."""

AWAKE = ("conversation:new", "conversation:updated")
"""What is told of a dormant conversation that wakes: it is new to people, and leaves the lists of dormant ones."""

ALREADY = "SELECT id FROM conversations WHERE contact_id = $1 AND instance_id = $2 AND status <> 'closed'"


async def open_conversation(
    uow: UnitOfWork, contact_id: UUID, instance_id: UUID, owner: UUID | None, now: datetime
) -> UUID:
    """Open a conversation (or a dormant one), in the queue or with its `owner`, tell of it, and return its id.

    The customer's service window stays open over a closing. Raises NotFound (contact, instance) and Conflict:
    `instance_inactive`, `contact_unreachable`, `conversation_already_open` with its `conversationId`.
    """
    contact_id = await hold_contact(uow, contact_id)
    await _require_instance(uow, instance_id)
    if not await uow.fetch_value(HAS_ADDRESS, contact_id):
        raise Conflict("contact_unreachable", "The contact has no address. Give it a phone number first.")
    conversation_id: UUID | None = await uow.fetch_value(OPEN, new_id(), contact_id, instance_id, owner, now)
    told = AWAKE if conversation_id is None else AWAKE[:1]
    if conversation_id is None:
        conversation_id = await uow.fetch_value(WAKE, contact_id, instance_id, owner, now)
    if conversation_id is None:
        raise already_open(await uow.fetch_value(ALREADY, contact_id, instance_id))
    await events.record(uow, [Change(type_, conversation_id, conversation_id) for type_ in told])
    return conversation_id


async def _require_instance(uow: UnitOfWork, instance_id: UUID) -> None:
    row = await uow.fetch_row(INSTANCE, instance_id)
    if row is None:
        raise NotFound("not_found", f"There is no service instance with the id {instance_id}.")
    if not row["is_active"]:
        raise Conflict("instance_inactive", f"The number {row['name']!r} is switched off. Ask an admin.")


def already_open(conversation_id: UUID | None) -> Conflict:
    """Return the refusal of a second open conversation with a contact on a number.

    `conversation_id` None: the other one was closed in this moment, so that trying again will do.
    """
    detail = "The contact has an open conversation on this number already: see conversationId. Go on in that one."
    if conversation_id is None:
        detail = "The contact's other conversation on this number was open until this moment. Try again."
    return Conflict("conversation_already_open", detail, conversationId=conversation_id and str(conversation_id))
