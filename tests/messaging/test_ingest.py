"""What providers tell is applied once, in any order, whoever else tells something at the same time."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from elsehu.contracts.inbound import (
    IdentitiesLinked,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
    StatusChanged,
)
from elsehu.contracts.message import Direction, Status
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import NOON, deliver, lid, phone, text


async def state(kernel: Kernel) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that a person can see, without ids and arrival order."""
    queries = {
        "messages": "SELECT external_id, direction, kind, text, status, at, deleted_at IS NOT NULL, edited_at, "
        "(SELECT phone FROM contacts c JOIN conversations v ON v.contact_id = c.id WHERE v.id = conversation_id) "
        "FROM messages ORDER BY external_id",
        "contacts": "SELECT phone, profile_name FROM contacts WHERE merged_into IS NULL ORDER BY phone, profile_name",
        "conversations": "SELECT status, unread_count, last_message_preview, last_message_at FROM conversations "
        "WHERE merged_into IS NULL ORDER BY last_message_at, last_message_preview",
        "reactions": "SELECT m.external_id, r.reactor, r.emoji FROM message_reactions r "
        "JOIN messages m ON m.id = r.message_id WHERE r.emoji <> '' ORDER BY 1, 2",
        "waiting": "SELECT external_id FROM waiting_updates ORDER BY 1",
    }
    return {name: [tuple(row) for row in await kernel.db.fetch(sql)] for name, sql in queries.items()}


EVENTS = [
    text("A1", "hello", seconds=0, sender_name="Maria"),
    text("A2", "are you there?", seconds=5, sender_name="Maria S"),
    text("A3", "by lid only", lid("123"), seconds=7),
    text("A4", "lid and phone", phone("5585988887777"), lid("123"), seconds=9),
    text("A5", "without ninth digit", phone("558588887777"), seconds=11),
    text("E1", "typed on the phone", direction=Direction.OUTBOUND, seconds=12),
    StatusChanged("E1", Status.DELIVERED, NOON + timedelta(seconds=13)),
    StatusChanged("E1", Status.READ, NOON + timedelta(seconds=14)),
    StatusChanged("E1", Status.SENT, NOON + timedelta(seconds=12)),
    MessageEdited("A2", "are you there??", NOON + timedelta(seconds=20)),
    MessageEdited("A2", "are you here?", NOON + timedelta(seconds=21)),
    MessageDeleted("A1", NOON + timedelta(seconds=30)),
    ReactionChanged("E1", "👍", NOON + timedelta(seconds=40), from_company=False),
    ReactionChanged("E1", "❤️", NOON + timedelta(seconds=41), from_company=False),
    ReactionChanged("A2", "😀", NOON + timedelta(seconds=42), from_company=True),
    ReactionChanged("A2", "", NOON + timedelta(seconds=43), from_company=True),
    text("P1", "a vote", phone("5511977776666"), seconds=50, opens=False),
    text("B1", "somebody else", phone("5511977776666"), seconds=51),
]


async def test_in_order(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    for event in EVENTS:
        await deliver(ingest, number, event)
    found = await state(kernel)
    assert [row[0] for row in found["messages"]] == ["A1", "A2", "A3", "A4", "A5", "B1", "E1", "P1"]
    assert [row[0] for row in found["contacts"]] == ["5511977776666", "5511988887777", "5585988887777"]
    assert len(found["conversations"]) == 3
    assert found["reactions"] == [("E1", "customer", "❤️")]
    assert found["waiting"] == []


async def test_any_order_any_grouping_leaves_the_same_state(
    kernel: Kernel, ingest: Ingest, number: UUID, seed: int
) -> None:
    for event in EVENTS:
        await deliver(ingest, number, event)
    expected = await state(kernel)
    await kernel.db.execute("TRUNCATE contacts, conversations, messages, waiting_updates, events CASCADE")

    rng = random.Random(seed)
    shuffled = EVENTS + rng.sample(EVENTS, 6)
    rng.shuffle(shuffled)
    deliveries = []
    while shuffled:
        size = rng.randint(1, 4)
        deliveries.append(deliver(ingest, number, *shuffled[:size]))
        shuffled = shuffled[size:]
    if seed % 2:
        await asyncio.gather(*deliveries)
    else:
        for delivery in deliveries:
            await delivery
    assert await state(kernel) == expected


async def test_parallel_first_messages_make_one_contact(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    senders = [
        (phone("5585988887777"),),
        (phone("558588887777"),),
        (phone("5585988887777"), lid("77")),
        (lid("77"), phone("558588887777")),
    ]
    messages = [text(f"M{place % 50}", f"text {place % 50}", *senders[place % 4]) for place in range(200)]
    deliveries = [deliver(ingest, number, message) for message in messages]
    await asyncio.gather(*deliveries)
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 50
    assert await kernel.db.fetch_value("SELECT unread_count FROM conversations") == 50


async def test_linking_two_contacts_merges_them(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, text("L1", "from a lid", lid("9"), seconds=1))
    await deliver(ingest, number, text("P1", "from a phone", phone("5511900000001"), seconds=2))
    await deliver(ingest, number, IdentitiesLinked((lid("9"), phone("5511900000001"))))
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts WHERE merged_into IS NULL") == 1
    rows = await kernel.db.fetch("SELECT DISTINCT conversation_id FROM messages")
    assert len(rows) == 1
    await deliver(ingest, number, text("L2", "again", lid("9"), seconds=3))
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations WHERE status <> 'closed'") == 1


async def test_a_poisoned_item_becomes_a_dead_letter_and_sinks_nobody(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    poisoned = replace(text("X1", "of nobody"), sender=None)
    await asyncio.gather(
        deliver(ingest, number, text("G1", "good"), poisoned, text("G2", "also good", seconds=1)),
        *(deliver(ingest, number, text(f"N{n}", "a neighbour", seconds=n)) for n in range(20)),
    )
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 22
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 1


async def test_a_closed_conversation_is_followed_by_a_new_one_but_not_for_a_late_message(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    await deliver(ingest, number, text("C1", "first", seconds=10))
    await kernel.db.execute("UPDATE conversations SET status = 'closed', closed_at = now()")
    await deliver(ingest, number, text("C0", "late", seconds=5))
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == 1
    await deliver(ingest, number, text("C2", "next", seconds=11))
    rows = await kernel.db.fetch("SELECT status FROM conversations ORDER BY opened_at")
    assert [row["status"] for row in rows] == ["closed", "queued"]
