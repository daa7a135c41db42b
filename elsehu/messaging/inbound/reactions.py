"""Reactions: what stands on a message, and what becomes of those of ours whose outcome was open."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from elsehu.contracts.inbound import ReactionChanged
from elsehu.contracts.message import IdentityKind
from elsehu.db import UnitOfWork

REACT = """
WITH changed AS (
    INSERT INTO message_reactions (message_id, reactor, from_company, emoji, at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (message_id, reactor) DO UPDATE SET emoji = excluded.emoji, at = excluded.at
        WHERE message_reactions.at < excluded.at
           OR (message_reactions.at = excluded.at AND message_reactions.emoji <> excluded.emoji)
    RETURNING message_id
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'message:updated', m.id, m.conversation_id FROM changed JOIN messages m ON m.id = changed.message_id
"""

SETTLE = """
WITH settled AS (
    UPDATE messages SET status = 'sent', status_rank = 3, sent_at = coalesce(sent_at, $3), claimed_until = NULL,
        error_code = NULL, error_detail = NULL, provider_code = NULL
    WHERE id = (
        SELECT ours.id FROM messages target JOIN messages ours ON ours.conversation_id = target.conversation_id
        WHERE target.id = $1 AND ours.status IN ('sending', 'unconfirmed') AND ours.kind = 'reaction'
          AND ours.reply_to_external_id = target.external_id
          AND replace(ours.payload->>'emoji', U&'\\FE0F', '') = replace($2, U&'\\FE0F', '')
        ORDER BY ours.seq LIMIT 1 FOR UPDATE OF ours)
    RETURNING id, conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM settled
"""
"""Providers write the same emoji with or without the selector of its coloured form (U+FE0F)."""

SHOW = """
WITH ours AS (
    SELECT target.id, coalesce(m.payload->>'emoji', '') AS emoji
    FROM messages m JOIN messages target
      ON target.instance_id = m.instance_id AND target.external_id = m.reply_to_external_id
    WHERE m.id = ANY($1::uuid[]) AND m.kind = 'reaction' AND m.status_rank IN (3, 5, 6, 7) AND NOT EXISTS (
        SELECT 1 FROM messages later WHERE later.conversation_id = m.conversation_id AND later.kind = 'reaction'
          AND later.direction = 'OUTBOUND' AND later.reply_to_external_id = m.reply_to_external_id
          AND later.seq > m.seq AND later.status_rank IN (3, 5, 6, 7))
), changed AS (
    INSERT INTO message_reactions (message_id, reactor, from_company, emoji, at)
    SELECT id, 'company', TRUE, emoji, $2 FROM ours
    ON CONFLICT (message_id, reactor) DO UPDATE SET emoji = excluded.emoji, at = excluded.at
        WHERE message_reactions.at <= excluded.at
    RETURNING message_id
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'message:updated', m.id, m.conversation_id FROM changed JOIN messages m ON m.id = changed.message_id
"""
"""Only the last of ours: an older one may be settled after it."""


async def react(uow: UnitOfWork, message_id: UUID, reaction: ReactionChanged) -> None:
    """Have a message carry `reaction`. One from the company is also the outcome of a send of ours that had none."""
    at, emoji = reaction.at, reaction.emoji
    await uow.execute(REACT, message_id, reactor_of(reaction), reaction.from_company, emoji, at)
    if reaction.from_company:
        await uow.execute(SETTLE, message_id, emoji, at)


async def show_sent(uow: UnitOfWork, message_ids: Sequence[UUID], now: datetime) -> None:
    """Have the reactions among these messages that were sent stand on their targets.

    The targets need no lock: they are there, for nothing else can be reacted to.
    """
    if message_ids:
        await uow.execute(SHOW, list(message_ids), now)


def reactor_of(reaction: ReactionChanged) -> str:
    """Return who reacted: `company`, `customer`, or the address of a group's member."""
    if reaction.from_company:
        return "company"
    members = [one for one in reaction.sender if one.kind is not IdentityKind.GROUP]
    in_group = len(members) < len(reaction.sender)
    return f"{members[0].kind} {members[0].value}" if in_group and members else "customer"
