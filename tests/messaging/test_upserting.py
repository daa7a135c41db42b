"""Many contacts at once: each person once, nothing lost, whoever else is at it."""

import asyncio
import random
from typing import Any
from uuid import UUID

import orjson

from elsehu.kernel import Kernel
from elsehu.messaging.contacts.bulk import ContactRow, Outcome, upsert_contacts
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.merging import merge

from .conftest import deliver, phone, text

MARIA = "5511988887777"


async def upsert(kernel: Kernel, *rows: ContactRow) -> list[tuple[UUID, str]]:
    async with kernel.db.transaction() as uow:
        return [(one.contact_id, one.outcome) for one in await upsert_contacts(uow, rows)]


async def outcomes(kernel: Kernel, *rows: ContactRow) -> list[str]:
    return [outcome for _, outcome in await upsert(kernel, *rows)]


async def contact(kernel: Kernel, contact_id: UUID) -> dict[str, Any]:
    row = await kernel.db.fetch_row("SELECT * FROM contacts WHERE id = $1", contact_id)
    assert row is not None
    return {**row, "custom": orjson.loads(row["custom"])}


async def test_rows_count_one_after_the_other(kernel: Kernel) -> None:
    eva = ContactRow("5511977776666", "Eva")
    rows = [ContactRow(MARIA, "Maria"), eva, ContactRow(MARIA, "Maria"), ContactRow(MARIA, "", "m@example.com"), eva]
    done = await upsert(kernel, *rows)
    assert [outcome for _, outcome in done] == ["created", "created", "unchanged", "updated", "unchanged"]
    assert done[0][0] == done[2][0] == done[3][0]
    assert await outcomes(kernel, *rows) == ["unchanged"] * 5
    made = await contact(kernel, done[0][0])
    assert (made["name"], made["email"], made["phone"]) == ("Maria", "m@example.com", MARIA)
    assert made["search_text"] == f"maria {MARIA} m@example.com"


async def test_what_is_empty_says_nothing(kernel: Kernel) -> None:
    full = ContactRow(MARIA, "Maria", "m@example.com", ["vip"], {"city": "Rio", "orders": 3})
    (contact_id, _), = await upsert(kernel, full)  # fmt: skip
    assert await outcomes(kernel, ContactRow(MARIA), ContactRow(MARIA, custom={"city": ""})) == [Outcome.UNCHANGED] * 2
    assert await outcomes(kernel, ContactRow(MARIA, tags=["new", "vip"], custom={"city": "Recife"})) == ["updated"]
    made = await contact(kernel, contact_id)
    assert (made["name"], made["email"], made["tags"]) == ("Maria", "m@example.com", ["vip", "new"])
    assert made["custom"] == {"city": "Recife", "orders": 3}


async def test_who_is_archived_comes_back(kernel: Kernel) -> None:
    (contact_id, _), = await upsert(kernel, ContactRow(MARIA, "Maria"))  # fmt: skip
    await kernel.db.execute("UPDATE contacts SET archived_at = now()")
    assert await upsert(kernel, ContactRow(MARIA)) == [(contact_id, "updated")]
    assert (await contact(kernel, contact_id))["archived_at"] is None


async def test_customers_keep_what_they_call_themselves_and_desks_are_told(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    await deliver(ingest, number, text("IN1", "hello", phone("551188887777"), sender_name="Mary"))
    await kernel.db.execute("DELETE FROM events")
    (contact_id, outcome), = await upsert(kernel, ContactRow(MARIA, "Maria José"))  # fmt: skip
    made = await contact(kernel, contact_id)
    assert (outcome, made["name"], made["profile_name"]) == ("updated", "Maria José", "Mary")
    assert made["search_text"] == f"maria jose mary {MARIA}"
    told = await kernel.db.fetch("SELECT e.type, v.contact_id FROM events e JOIN conversations v ON v.id = subject_id")
    assert [tuple(row) for row in told] == [("conversation:updated", contact_id)]
    assert await outcomes(kernel, ContactRow(MARIA, "Maria José")) == ["unchanged"]
    assert await kernel.db.fetch_value("SELECT count(*) FROM events") == 1


async def test_a_contact_with_two_phones_is_one(kernel: Kernel) -> None:
    (kept, _), (lost, _) = await upsert(kernel, ContactRow(MARIA, "Maria"), ContactRow("5511977776666", tags=["x"]))
    async with kernel.db.transaction() as uow:
        await merge(uow, [kept, lost])
    done = await upsert(kernel, ContactRow(MARIA, email="m@example.com"), ContactRow("5511977776666", tags=["y"]))
    assert done == [(kept, "updated")] * 2
    made = await contact(kernel, kept)
    assert (made["phone"], made["email"], made["tags"]) == (MARIA, "m@example.com", ["x", "y"])


async def test_everybody_at_once(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    """Five that make and change the same people in five orders, while these write: nobody doubled, nobody stuck."""
    people = [f"5511{n:08d}" for n in range(90_000_000, 90_000_060)]  # as the provider spells them
    canonical = [one[:4] + "9" + one[4:] for one in people]

    async def import_them(seed: int) -> None:
        order = random.Random(seed).sample(canonical, len(canonical))
        for start in range(0, len(order), 20):
            await upsert(kernel, *(ContactRow(one, tags=[f"t{seed}"]) for one in order[start : start + 20]))

    async def they_write() -> None:
        async with asyncio.TaskGroup() as tasks:
            for place, one in enumerate(people):
                tasks.create_task(deliver(ingest, number, text(f"IN{place}", "hi", phone(one), sender_name="x")))

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(they_write())
        for seed in range(5):
            tasks.create_task(import_them(seed))
    rows = await kernel.db.fetch("SELECT phone, tags FROM contacts ORDER BY phone")
    assert [row["phone"] for row in rows] == canonical
    assert all(sorted(row["tags"]) == ["t0", "t1", "t2", "t3", "t4"] for row in rows)
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == len(people)
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0
