"""Messages in bulk: queued in a lane a thousand at a time, and withdrawn as long as nobody has begun to send them.

Whatever is locked here is locked in the order of the ingest, so that neither deadlocks the other: addresses, contacts,
open conversations by id, new conversations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import Invalid, NotFound
from elsehu.contracts.plugin import ProviderSpec
from elsehu.db import Row, UnitOfWork
from elsehu.events import SIGNAL
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.locks import address_key, lock
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.window import is_closed

LANE = """
SELECT l.instance_id, i.provider FROM message_lanes l JOIN service_instances i ON i.id = l.instance_id WHERE l.id = $1
"""
NUMBER = "SELECT id AS instance_id, provider FROM service_instances WHERE id = $1"
MOST = 1_000
ALREADY = "SELECT id FROM messages WHERE id = ANY($1::uuid[])"
FILES = "SELECT id FROM media_files WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE"

KEPT = """
WITH RECURSIVE chain AS (
    SELECT c.id AS asked, c.id, c.merged_into FROM contacts c WHERE c.id = ANY($1::uuid[])
    UNION ALL
    SELECT chain.asked, c.* FROM chain
    CROSS JOIN LATERAL (SELECT id, merged_into FROM contacts WHERE id = chain.merged_into LIMIT 1) c
    WHERE chain.merged_into IS NOT NULL
)
"""
ADDRESSES = f"""{KEPT}
SELECT DISTINCT kind, value, scope FROM contact_identities
WHERE contact_id = ANY(ARRAY(SELECT id FROM chain WHERE merged_into IS NULL))
"""  # noqa: S608
PEOPLE = f"""{KEPT}
SELECT chain.asked, c.id, c.opted_out_at, c.unreachable_at, c.archived_at,
    (SELECT true FROM contact_identities a WHERE a.contact_id = c.id LIMIT 1) AS has_address,
    (SELECT max(v.window_expires_at) FROM conversations v
     WHERE v.contact_id = c.id AND v.instance_id = $2) AS window_expires_at
FROM chain JOIN contacts c ON c.id = chain.id
WHERE chain.merged_into IS NULL AND c.merged_into IS NULL AND c.id = ANY(ARRAY(SELECT id FROM chain))
ORDER BY c.id FOR KEY SHARE OF c
"""  # noqa: S608
"""Written so that every plan looks people up by their keys, however many it takes a chain to have. Who is merged while
we wait for the lock is missing, and found at the second look."""

THREADS = """
SELECT id, contact_id FROM conversations WHERE contact_id = ANY($1::uuid[]) AND instance_id = $2 AND status <> 'closed'
ORDER BY id FOR NO KEY UPDATE
"""
OPEN = """
INSERT INTO conversations (id, contact_id, instance_id, status, opened_at, last_activity_at, tags, window_expires_at,
    last_message_kind, last_message_preview, last_message_direction, last_message_at)
SELECT n.id, n.contact_id, $3, 'dormant', $4, $4, '{}', n.window_expires_at,
    n.kind, left(n.text, 120), 'OUTBOUND', date_trunc('second', $4::timestamptz)
FROM unnest($1::uuid[], $2::uuid[], $5::timestamptz[], $6::text[], $7::text[])
    AS n(id, contact_id, window_expires_at, kind, text)
ORDER BY n.contact_id
ON CONFLICT (contact_id, instance_id) WHERE status <> 'closed' DO NOTHING
RETURNING id, contact_id
"""
"""They show their message from the start: showing it afterwards would write each of them, and its indexes, twice."""

QUEUE = """
WITH queued AS (
    INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, payload, media_id, status,
        status_rank, client_id, reply_to_external_id, template_id, at, lane, lane_id, attempts)
    SELECT n.id, n.conversation_id, $2, 'OUTBOUND', n.kind, n.text, n.payload, n.media_id, 'pending',
        0, n.client_id, n.reply_to, n.template_id, date_trunc('second', $3::timestamptz),
        ($1::uuid IS NOT NULL)::int, $1, 0
    FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $9::uuid[], $10::text[], $11::text[],
                $12::uuid[]) WITH ORDINALITY
        AS n(id, conversation_id, kind, text, payload, media_id, client_id, reply_to, template_id, place)
    ORDER BY n.place
    ON CONFLICT DO NOTHING
    RETURNING id, conversation_id, kind, text, at, seq
), newest AS (
    SELECT DISTINCT ON (conversation_id) * FROM queued WHERE kind <> 'reaction' ORDER BY conversation_id, seq DESC
), shown AS (
    UPDATE conversations v SET last_message_kind = n.kind, last_message_preview = left(n.text, 120),
        last_message_direction = 'OUTBOUND', last_message_at = n.at
    FROM newest n
    WHERE v.id = n.conversation_id AND v.id = ANY($13::uuid[]) AND coalesce(v.last_message_at <= n.at, true)
    RETURNING v.id, v.status
), told AS (
    INSERT INTO events (type, subject_id, conversation_id)
    SELECT 'message:new', q.id, v.id FROM queued q JOIN conversations v ON v.id = q.conversation_id
    WHERE v.id = ANY($13::uuid[]) AND v.status <> 'dormant'
    UNION ALL SELECT 'conversation:updated', id, id FROM shown WHERE status <> 'dormant'
    RETURNING 1
)
SELECT array(SELECT id FROM queued) AS queued, EXISTS (SELECT 1 FROM told) AS told
"""
"""$13 are the conversations that there were. The list's preview shows it; its place in the list stays, for nothing has
happened in the conversation yet."""

PENDING = "lane_id = $1 AND lane = 1 AND status = 'pending' AND external_id IS NULL"
ALL_PENDING = f"SELECT id FROM messages WHERE {PENDING}"  # noqa: S608
HOLD_THREADS = """
SELECT id FROM conversations WHERE id = ANY(ARRAY(SELECT conversation_id FROM messages WHERE id = ANY($1::uuid[])))
ORDER BY id FOR NO KEY UPDATE
"""
WITHDRAW = f"""
DELETE FROM messages WHERE id = ANY(ARRAY(
    SELECT id FROM messages WHERE id = ANY($2::uuid[]) AND conversation_id = ANY($3::uuid[]) AND {PENDING}
    ORDER BY id FOR UPDATE SKIP LOCKED))
RETURNING id, conversation_id
"""  # noqa: S608
MEND = """
WITH mended AS (
    UPDATE conversations v SET
        (last_message_kind, last_message_preview, last_message_direction, last_message_at) = (
            SELECT m.kind, left(m.text, 120), m.direction, m.at FROM messages m
            WHERE m.conversation_id = v.id AND m.kind <> 'reaction' ORDER BY m.at DESC, m.seq DESC LIMIT 1)
    WHERE v.id = ANY($2::uuid[]) RETURNING v.id, v.status
)
INSERT INTO events (type, subject_id, conversation_id, data)
SELECT 'message:withdrawn', w.id, m.id, jsonb_build_object('id', w.id, 'conversationId', m.id)
FROM unnest($1::uuid[], $2::uuid[]) AS w(id, conversation_id) JOIN mended m ON m.id = w.conversation_id
WHERE m.status <> 'dormant'
UNION ALL SELECT 'conversation:updated', id, id, NULL FROM mended WHERE status <> 'dormant'
"""
FORGET = """
DELETE FROM conversations v
WHERE v.id = ANY($1::uuid[]) AND v.status = 'dormant' AND v.tags = '{}' AND v.last_inbound_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = v.id)
  AND NOT EXISTS (SELECT 1 FROM conversations o WHERE o.merged_into = v.id)
"""
"""A dormant conversation that nothing is left of was opened for what is withdrawn."""


@dataclass(frozen=True, slots=True)
class BulkMessage:
    """A message for a contact. `id` becomes the message's own: nothing is queued twice under one id, ever."""

    id: UUID
    contact_id: UUID
    draft: Draft


@dataclass(slots=True)
class Sorted:
    """The messages that can be queued, and why the others cannot, by id."""

    wanted: list[tuple[BulkMessage, Row]] = field(default_factory=list)
    refused: dict[UUID, str] = field(default_factory=dict)


async def queue_messages(
    uow: UnitOfWork, kernel: Kernel, lane_id: UUID, messages: Sequence[BulkMessage], now: datetime
) -> dict[UUID, str]:
    """Queue `messages` (a thousand at the most) in a lane, and return why any of them was not, by id.

    Each goes into the open conversation with its contact on the lane's number, else into a new one, which is dormant:
    in nobody's queue until the customer answers. The reasons: `already_queued` (its id is taken), `contact_gone`
    (there is none, or it is archived), `opted_out`, `no_address`, `unreachable`, `window_closed`, `media_gone` (its
    file was deleted). Raises NotFound for an unknown lane, and Invalid `too_many`. Take the transaction for this
    alone, or call this first in it: it waits for locks.
    """
    if len(messages) > MOST:
        raise Invalid("too_many", f"Queue at most {MOST} messages at once; these are {len(messages)}.")
    lane = await uow.fetch_row(LANE, lane_id)
    if lane is None:
        raise NotFound("not_found", f"There is no lane with the id {lane_id}.")
    return await _queue_all(uow, kernel, (lane_id, lane), messages, now)


async def queue_message(
    uow: UnitOfWork, kernel: Kernel, instance_id: UUID, message: BulkMessage, now: datetime
) -> str | None:
    """Queue one message outside of all lanes: it leaves as soon as what people write. Return why it was not, or None.

    Its conversation and the reasons are as of `queue_messages`. Raises NotFound for an unknown number.
    """
    number = await uow.fetch_row(NUMBER, instance_id)
    if number is None:
        raise NotFound("not_found", f"There is no service instance with the id {instance_id}.")
    return (await _queue_all(uow, kernel, (None, number), [message], now)).get(message.id)


async def _queue_all(
    uow: UnitOfWork, kernel: Kernel, lane: tuple[UUID | None, Row], messages: Sequence[BulkMessage], now: datetime
) -> dict[UUID, str]:
    lane_id, number = lane
    contact_ids = list({message.contact_id for message in messages})
    await _lock_addresses(uow, contact_ids)
    people = await _people(uow, contact_ids, number["instance_id"])
    already = {row["id"] for row in await uow.fetch(ALREADY, [message.id for message in messages])}
    spec = kernel.plugins.spec(number["provider"])
    files = await _files(uow, messages)
    found = Sorted()
    for message in messages:
        person = people.get(message.contact_id)
        reason = "already_queued" if message.id in already else _refusal(message.draft, person, spec, now)
        if reason is None and message.draft.media_id not in files:
            reason = "media_gone"
        if reason is not None or person is None:
            found.refused[message.id] = reason or "contact_gone"
        else:
            found.wanted.append((message, person))
    if found.wanted:
        await _queue(uow, (lane_id, number["instance_id"]), found, now)
    return found.refused


async def _lock_addresses(uow: UnitOfWork, contact_ids: Sequence[UUID]) -> None:
    """Let nobody else merge these contacts or open a conversation with them because of what they write."""
    rows = await uow.fetch(ADDRESSES, contact_ids)
    await lock(uow, [address_key((row["kind"], row["value"], row["scope"])) for row in rows])


async def _people(uow: UnitOfWork, contact_ids: Sequence[UUID], instance_id: UUID) -> dict[UUID, Row]:
    """Return who the contacts are by now, by the id that was asked for, held so that they stay."""
    people: dict[UUID, Row] = {}
    for _ in range(2):
        missing = [one for one in contact_ids if one not in people]
        people |= {row["asked"]: row for row in await uow.fetch(PEOPLE, missing, instance_id)} if missing else {}
    return people


async def _files(uow: UnitOfWork, messages: Sequence[BulkMessage]) -> set[UUID | None]:
    """Return which of the messages' files there are, held so that they stay; None is there, for those without one."""
    wanted = {message.draft.media_id for message in messages} - {None}
    return {None, *(row["id"] for row in await uow.fetch(FILES, list(wanted)))} if wanted else {None}


def _refusal(draft: Draft, person: Row | None, spec: ProviderSpec | None, now: datetime) -> str | None:
    if person is None or person["archived_at"] is not None:
        return "contact_gone"
    if person["opted_out_at"] is not None:
        return "opted_out"
    if not person["has_address"]:
        return "no_address"
    if person["unreachable_at"] is not None:
        return "unreachable"
    if spec is not None and is_closed(spec, draft.kind, person["window_expires_at"], now):
        return "window_closed"
    return None


async def _queue(uow: UnitOfWork, lane: tuple[UUID | None, UUID], found: Sorted, now: datetime) -> None:
    lane_id, instance_id = lane
    threads, were_there = await _open_threads(uow, instance_id, found, now)
    conversations = [threads[row["id"]] for _, row in found.wanted]
    columns = _columns([message for message, _ in found.wanted], conversations)
    row = await uow.fetch_row(QUEUE, lane_id, instance_id, now, *columns, were_there)
    assert row is not None
    new = set(row["queued"])
    found.refused.update((message.id, "already_queued") for message, _ in found.wanted if message.id not in new)
    uow.signal("outbound")
    if row["told"]:
        uow.signal(SIGNAL)


async def _open_threads(
    uow: UnitOfWork, instance_id: UUID, found: Sorted, now: datetime
) -> tuple[dict[UUID, UUID], list[UUID]]:
    """Return the open conversations of the people found, by contact: held, so that none is closed now.

    And which of them were there before. One that somebody opens in this moment is found at the second look.
    """
    people = {row["id"]: (row["window_expires_at"], message.draft) for message, row in found.wanted}
    threads: dict[UUID, UUID] = {}
    were_there: list[UUID] = []
    while missing := [contact_id for contact_id in people if contact_id not in threads]:
        rows = await uow.fetch(THREADS, missing, instance_id)
        were_there += [row["id"] for row in rows]
        threads |= {row["contact_id"]: row["id"] for row in rows}
        new = [contact_id for contact_id in missing if contact_id not in threads]
        rows = await _open_new(uow, instance_id, {one: people[one] for one in new}, now) if new else []
        threads |= {row["contact_id"]: row["id"] for row in rows}
    return threads, were_there


async def _open_new(
    uow: UnitOfWork, instance_id: UUID, new: Mapping[UUID, tuple[datetime | None, Draft]], now: datetime
) -> list[Row]:
    """Open a dormant conversation with each contact, which shows the draft, unless somebody opens one just now."""
    windows, drafts = [window for window, _ in new.values()], [draft for _, draft in new.values()]
    shown = [draft.kind for draft in drafts], [draft.text for draft in drafts]
    return await uow.fetch(OPEN, [new_id() for _ in new], list(new), instance_id, now, windows, *shown)


def _columns(messages: Sequence[BulkMessage], conversations: Sequence[UUID]) -> tuple[list[Any], ...]:
    drafts = [message.draft for message in messages]
    return (
        [message.id for message in messages],
        list(conversations),
        [draft.kind for draft in drafts],
        [draft.text for draft in drafts],
        [None if draft.payload is None else orjson.dumps(draft.payload).decode() for draft in drafts],
        [draft.media_id for draft in drafts],
        [draft.client_id for draft in drafts],
        [draft.reply_to for draft in drafts],
        [draft.template_id for draft in drafts],
    )


async def withdraw(uow: UnitOfWork, lane_id: UUID, ids: Sequence[UUID] | None = None) -> list[UUID]:
    """Delete what is still pending in a lane (of `ids`, or all) and return its ids.

    What is claimed, or may have been taken by the provider, stays; so does what moves to another conversation in this
    moment. Close the lane first, else more of it may leave. A conversation that was opened for it alone goes with it.
    """
    if ids is None:
        ids = [row["id"] for row in await uow.fetch(ALL_PENDING, lane_id)]
    held = [row["id"] for row in await uow.fetch(HOLD_THREADS, ids)]
    gone = await uow.fetch(WITHDRAW, lane_id, ids, held)
    if gone:
        threads = [row["conversation_id"] for row in gone]
        await uow.execute(FORGET, threads)
        await uow.execute(MEND, [row["id"] for row in gone], threads)
        uow.signal(SIGNAL)
    return [row["id"] for row in gone]
