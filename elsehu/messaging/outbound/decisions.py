"""What a person decides of a message: that a failed one is sent again, what became of an unconfirmed one."""

from datetime import datetime
from uuid import UUID

from elsehu import events
from elsehu.contracts.errors import Conflict
from elsehu.contracts.message import RANK, Status
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound import reactions
from elsehu.messaging.inbound.locks import lock, message_key

NAME = "SELECT instance_id, external_id FROM messages WHERE id = $1 AND external_id IS NOT NULL"

UNWANTED = """
SELECT true FROM messages m JOIN conversations v ON v.id = m.conversation_id JOIN contacts k ON k.id = v.contact_id
WHERE m.id = $1 AND m.lane_id IS NOT NULL AND k.opted_out_at IS NOT NULL
"""
RETRY = """
WITH failed AS (
    SELECT id, instance_id, external_id FROM messages
    WHERE id = $1 AND status = 'failed' AND direction = 'OUTBOUND' FOR UPDATE
), kept AS (
    INSERT INTO former_message_ids (message_id, instance_id, external_id)
    SELECT id, instance_id, external_id FROM failed WHERE external_id IS NOT NULL
    ON CONFLICT (instance_id, external_id) DO NOTHING
), retried AS (
    UPDATE messages m SET status = 'pending', status_rank = 0, lane = 0, attempts = 0, next_attempt_at = NULL,
        external_id = NULL, sent_at = NULL, sent_again_at = NULL, failed_at = NULL,
        error_code = NULL, error_detail = NULL, provider_code = NULL
    FROM failed WHERE m.id = failed.id RETURNING m.id, m.conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM retried
RETURNING subject_id
"""
"""What is still told of the attempt that failed finds the message by its former id. It goes as people's messages do,
whatever lane it came from and whether that is open."""

RESOLVE = """
WITH resolved AS (
    UPDATE messages SET status = $2::text, status_rank = $3, claimed_until = NULL,
        sent_at = CASE WHEN $2::text = 'sent' THEN coalesce(sent_at, $4) END,
        error_code = CASE WHEN $2::text = 'failed' THEN 'resolved_as_failed' END,
        error_detail = CASE WHEN $2::text = 'failed' THEN 'A person found that it was not delivered.' END,
        provider_code = NULL
    WHERE id = $1 AND status = 'unconfirmed' RETURNING id, conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM resolved
RETURNING subject_id
"""
"""`failed_at` stays empty: the provider did not say so, and any `sent` of its own counts for more."""


async def retry(uow: UnitOfWork, message_id: UUID) -> None:
    """Put a failed message back into the queue, in its old place.

    Raises Conflict: it has not failed, or it was sent in bulk to somebody who wants no more of that.
    """
    name = await uow.fetch_row(NAME, message_id)
    if name is not None:
        await lock(uow, [message_key(name["instance_id"], name["external_id"])])
    if await uow.fetch_value(UNWANTED, message_id):
        raise Conflict(
            "opted_out", "This customer opted out of campaigns. Write to them yourself, or opt them in first."
        )
    if await uow.fetch_row(RETRY, message_id) is None:
        detail = "Only a failed message can be retried; an unconfirmed one must be resolved first."
        raise Conflict("not_failed", detail)
    uow.signal(events.SIGNAL)
    uow.signal("outbound")


async def resolve(uow: UnitOfWork, message_id: UUID, outcome: Status, now: datetime) -> None:
    """Write down what became of an unconfirmed message: `sent` or `failed`. Raises Conflict."""
    if await uow.fetch_row(RESOLVE, message_id, outcome, RANK[outcome], now) is None:
        detail = "Only an unconfirmed message can be resolved; this one has an outcome."
        raise Conflict("not_unconfirmed", detail)
    await reactions.show_sent(uow, [message_id], now)
    uow.signal(events.SIGNAL)
