"""Two contacts that turn out to be one person become one, and nothing of either is lost on the way."""

from collections.abc import Sequence
from uuid import UUID

import orjson
import pytest

from elsehu.contracts.inbound import IdentitiesLinked
from elsehu.contracts.message import Kind
from elsehu.contracts.user import Caller, Role
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.batch import Batch
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.retrying import commit_batch
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.sending import enqueue

from .conftest import deliver, lid, phone, text

MACHINE = Caller(Role.ADMIN, None, "a test")
PHONE, LID = phone("5511900000001"), lid("9")


@pytest.fixture
async def two(kernel: Kernel, ingest: Ingest, number: UUID) -> Sequence[UUID]:
    """The conversations of a phone and of a LID that are one person's, the older first."""
    await deliver(ingest, number, text("P1", "from a phone", PHONE, seconds=1))
    await deliver(ingest, number, text("L1", "from a lid", LID, seconds=2))
    return [row["id"] for row in await kernel.db.fetch("SELECT id FROM conversations ORDER BY id")]


async def user(kernel: Kernel) -> UUID:
    user_id = new_id()
    await kernel.db.execute(
        "INSERT INTO users (id, email, name, role, password_hash) VALUES ($1, 'o@example.com', 'Ana', 'OPERATOR', '')",
        user_id,
    )
    return user_id


async def test_the_same_client_id_in_both(kernel: Kernel, ingest: Ingest, number: UUID, two: Sequence[UUID]) -> None:
    for conversation_id in two:
        await enqueue(kernel, MACHINE, conversation_id, number, Draft(Kind.TEXT, "hi", client_id="hello-1"))
    await deliver(ingest, number, text("B1", "it is me", PHONE, LID, seconds=3))
    rows = await kernel.db.fetch("SELECT DISTINCT conversation_id FROM messages")
    assert [row["conversation_id"] for row in rows] == [two[0]]
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 5
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0


async def test_frontends_are_told_of_all_that_moved(
    kernel: Kernel, ingest: Ingest, number: UUID, two: Sequence[UUID]
) -> None:
    await kernel.db.execute("DELETE FROM events")
    await deliver(ingest, number, IdentitiesLinked((PHONE, LID)))
    rows = await kernel.db.fetch(
        "SELECT e.type, e.conversation_id, m.external_id, e.data FROM events e "
        "LEFT JOIN messages m ON m.id = e.subject_id ORDER BY e.seq"
    )
    told = {(row["type"], row["conversation_id"], row["external_id"]) for row in rows}
    assert told == {
        ("message:updated", two[0], "L1"),
        ("conversation:closed", two[1], None),
        ("conversation:updated", two[0], None),
    }
    farewell = next(orjson.loads(row["data"]) for row in rows if row["type"] == "conversation:closed")
    assert farewell == {"previousAssignee": None, "wasQueued": True}


async def test_whoever_had_the_younger_conversation_has_the_older_one(
    kernel: Kernel, ingest: Ingest, number: UUID, two: Sequence[UUID]
) -> None:
    ana = await user(kernel)
    await kernel.db.execute(
        "UPDATE conversations SET status = 'assigned', assigned_to = $1, assigned_at = now() WHERE id = $2", ana, two[1]
    )
    await deliver(ingest, number, IdentitiesLinked((PHONE, LID)))
    rows = await kernel.db.fetch("SELECT id, status, assigned_to, assigned_at FROM conversations ORDER BY id")
    assert [(row["status"], row["assigned_to"]) for row in rows] == [("assigned", ana), ("closed", None)]
    assert rows[0]["assigned_at"] is not None


async def test_three_messages_of_one_webhook_show_that_they_are_one_persons(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    senders = [(PHONE,), (LID,), (PHONE, LID)]
    await deliver(ingest, number, *(text(f"T{n}", "hi", *who, seconds=n) for n, who in enumerate(senders)))
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts WHERE merged_into IS NULL") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations WHERE status <> 'closed'") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 3


async def test_two_people_at_once(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    people = [(phone(f"551190000000{n}"), lid(f"{n}")) for n in (1, 2)]
    for n, (by_phone, by_lid) in enumerate(people):
        await deliver(ingest, number, text(f"P{n}", "hi", by_phone), text(f"L{n}", "hi", by_lid))
    await commit_batch(kernel, lambda: Batch(links=[IdentitiesLinked(person) for person in people]))
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts WHERE merged_into IS NULL") == 2
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations WHERE status <> 'closed'") == 2
