"""One person is one contact, two people are two, whatever of their addresses a message shows and whenever it comes.

Times are hours after a day long ago: numbers change hands, and people change numbers, within days at the soonest.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.inbound import Event, IdentitiesLinked, IdentityChanged, MessageArrived
from elsehu.contracts.message import Direction, Identity, IdentityKind
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.messaging.inbound import waiting
from elsehu.messaging.inbound.batch import Arriving, Batch
from elsehu.messaging.inbound.identities import RESOLVE
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.locks import identity_key, lock
from elsehu.messaging.inbound.meeting import meet
from elsehu.messaging.inbound.retrying import commit_batch

from .conftest import NOON, deliver, lid, phone, text

P1, P2 = phone("5511900000001"), phone("5511900000002")
LID = lid("77")


def bsuid(value: str, scope: str = "shop") -> Identity:
    """Return an address by BSUID."""
    return Identity(IdentityKind.BSUID, f"BR.{value}", f"BR.{value}", scope)


A, A2, B = bsuid("ana"), bsuid("ana2"), bsuid("bea")
EITHER = phone("00000")


def at(hours: float) -> datetime:
    return NOON - timedelta(days=365) + timedelta(hours=hours)


def says(words: str, *sender: Identity, **more: Any) -> MessageArrived:
    """Return a message `<hour> <name>`, written at that hour."""
    return text(words, words, *sender, **{"at": at(float(words.split(maxsplit=1)[0]))} | more)


def changed(old: Sequence[Identity], new: Sequence[Identity], hours: float) -> IdentityChanged:
    return IdentityChanged(old, new, at(hours))


async def people(kernel: Kernel) -> dict[str, tuple[set[str], str | None]]:
    """Return who is behind the messages of each name (the second word): which addresses they have, and which phone.

    Fails where one person has several contacts or open conversations, or two people share one.
    """
    rows = await kernel.db.fetch(
        "SELECT m.text, v.contact_id, v.id AS conversation_id, c.phone, "
        "ARRAY(SELECT i.value FROM contact_identities i WHERE i.contact_id = c.id) AS addresses FROM messages m "
        "JOIN conversations v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id ORDER BY m.at"
    )
    by_name: dict[str, set[tuple[UUID, UUID]]] = {}
    for row in rows:
        by_name.setdefault(row["text"].split()[1], set()).add((row["contact_id"], row["conversation_id"]))
    assert all(len(found) == 1 for found in by_name.values()), by_name
    assert len(set().union(*by_name.values())) == len(by_name), by_name
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0
    return {row["text"].split()[1]: (set(row["addresses"]), row["phone"]) for row in rows}


async def forget_everybody(kernel: Kernel) -> None:
    """Delete all people and what was said."""
    for table in ("messages", "conversations", "identity_notes", "waiting_updates", "contacts"):
        await kernel.db.execute(f"DELETE FROM {table}")


def values(*identities: Identity) -> set[str]:
    return {one.value for one in identities}


STORIES: dict[str, tuple[list[Event], dict[str, tuple[Sequence[Identity], Identity | None]]]] = {
    "a BSUID that is known learns the phone": (
        [says("1 ana", A), says("2 ana", P1, A), says("3 ana", P1)],
        {"ana": ((A, P1), P1)},
    ),
    "a phone that is known learns the BSUID": (
        [says("1 ana", P1), says("2 ana", P1, A), says("3 ana", A)],
        {"ana": ((A, P1), P1)},
    ),
    "BSUID and phone turn out to be one person's": (
        [says("1 ana", P1), says("2 ana", A), says("3 ana", A, P1)],
        {"ana": ((A, P1), P1)},
    ),
    "a number was given to somebody else": (
        [says("1 ana", P1, A), says("2 ana", P1, A), says("50 bea", P1, B), says("51 ana", A), says("52 bea", B)],
        {"ana": ((A,), None), "bea": ((B, P1), P1)},
    ),
    "a number was given to somebody who was known": (
        [says("1 ana", P1, A), says("2 bea", P2, B), says("50 bea", P1, B)],
        {"ana": ((A,), None), "bea": ((B, P1, P2), EITHER)},
    ),
    "a number came back": (
        [says("1 ana", P1, A), says("50 bea", P1, B), says("99 ana", P1, A)],
        {"ana": ((A, P1), P1), "bea": ((B,), None)},
    ),
    "a number changed": (
        [says("1 ana", P1), changed((P1,), (P2,), 10), says("11 ana", P2)],
        {"ana": ((P2,), P2)},
    ),
    "a number changed twice": (
        [says("1 ana", P1), changed((P1,), (P2,), 10), changed((P2,), (phone("551190000003"),), 20),
         says("11 ana", P2), says("21 ana", phone("551190000003"))],
        {"ana": ((phone("551190000003"),), phone("551190000003"))},
    ),
    "a BSUID changed": (
        [says("1 ana", P1, A), changed((A,), (A2,), 10), says("11 ana", P1, A2), says("12 ana", A2)],
        {"ana": ((A2, P1), P1)},
    ),
    "number and BSUID changed together": (
        [says("1 ana", P1, A), changed((P1, A), (P2, A2), 10), says("11 ana", P2, A2)],
        {"ana": ((A2, P2), P2)},
    ),
    "number and BSUID changed, told one by one": (
        [says("1 ana", P1, A), changed((P1,), (P2,), 10), changed((A,), (A2,), 10), says("11 ana", P2, A2)],
        {"ana": ((A2, P2), P2)},
    ),
    "a number changed, and with it the BSUID, of which nothing is told": (
        [says("1 ana", P1, A), changed((P1,), (P2,), 10), says("11 ana", P2, A2)],
        {"ana": ((A2, P2), P2)},
    ),
    "a change is told twice, at two times": (
        [says("1 ana", P1), changed((P1,), (P2,), 10), changed((P1,), (P2,), 10.001), says("11 ana", P2)],
        {"ana": ((P2,), P2)},
    ),
    "a changed number was somebody else's before": (
        [says("1 ana", P1, A), says("2 bea", P2, B), changed((P1,), (P2,), 10), says("11 ana", P2, A)],
        {"ana": ((A, P2), P2), "bea": ((B,), None)},
    ),
    "the old number was given to somebody else": (
        [says("1 ana", P1, A), changed((P1,), (P2,), 10), says("11 ana", P2, A), says("90 bea", P1, B)],
        {"ana": ((A, P2), P2), "bea": ((B, P1), P1)},
    ),
    "phone and LID of one person": (
        [says("1 ana", P1), says("2 ana", LID), IdentitiesLinked((P1, LID)), says("3 ana", LID)],
        {"ana": ((P1, LID), P1)},
    ),
    "what is linked first is one person's later": (
        [IdentitiesLinked((P1, LID)), says("1 ana", P1), says("2 ana", LID)],
        {"ana": ((P1, LID), P1)},
    ),
}  # fmt: skip


async def test_every_story_in_every_order(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    for name, (events, expected) in STORIES.items():
        orders = list(permutations(events))
        for place, order in enumerate(orders[:: max(1, len(orders) // 5)]):
            await forget_everybody(kernel)
            if place % 3 == 2:
                await deliver(ingest, number, *order)
            else:
                for event in (*order, order[0], order[-1]):
                    await deliver(ingest, number, event)
            told = (name, [getattr(event, "text", event) for event in order])
            found = await people(kernel)
            assert found.keys() == expected.keys(), told
            for who, (have, shown) in expected.items():
                addresses, shown_now = found[who]
                assert addresses == values(*have), told
                assert shown is EITHER or shown_now == (shown and shown.value), told


class Counting:
    """A unit of work that counts what it is asked."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow, self.statements = uow, list[str]()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._uow, name)
        if name in ("fetch", "fetch_row", "fetch_value", "execute"):
            return lambda sql, *values: (self.statements.append(sql), method(sql, *values))[1]
        return method


async def test_who_is_known_is_found_at_one_look_and_nothing_is_written_of_them(kernel: Kernel, number: UUID) -> None:
    people_of_batch = [(phone(f"55119000000{n:02}"), bsuid(f"p{n}")) for n in range(20)]

    def batch(hour: float) -> Batch:
        return Batch([Arriving(number, says(f"{hour} p{n}", *who)) for n, who in enumerate(people_of_batch)])

    await commit_batch(kernel, lambda: batch(1))
    async with kernel.db.transaction() as uow:
        counting: Any = Counting(uow)
        again = batch(1.5)
        met = await meet(counting, again, kernel.now(), set(again.lock_keys()))
        await met.save(counting)
    assert counting.statements == [RESOLVE]


async def test_people_of_one_webhook_are_made_as_one(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, says("1 ana", P1), says("2 ana", LID), says("3 ana", A), says("4 ana", P1, LID, A))
    assert await people(kernel) == {"ana": (values(P1, LID, A), P1.value)}
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts") == 1


async def test_many_merges_in_one_webhook(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    pairs = [(phone(f"55119000000{n:02}"), lid(f"{n}")) for n in range(12)]
    await deliver(ingest, number, *(says(f"1 p{n}", who[0]) for n, who in enumerate(pairs)))
    await deliver(ingest, number, *(says(f"2 p{n}", who[1]) for n, who in enumerate(pairs)))
    await deliver(ingest, number, *(says(f"3 p{n}", *who) for n, who in enumerate(pairs)))
    assert len(await people(kernel)) == len(pairs)


@pytest.mark.parametrize("round_", range(4))
async def test_two_people_claim_one_number_at_the_same_moment(
    kernel: Kernel, ingest: Ingest, number: UUID, round_: int
) -> None:
    await deliver(ingest, number, says("1 nobody", P1))
    claims = [says("20 ana", P1, A), says("21 ana", A), says("50 bea", P1, B), says("51 bea", P1, B), says("52 bea", B)]
    await asyncio.gather(*(deliver(ingest, number, one) for one in claims[round_:] + claims[:round_]))
    rows = await kernel.db.fetch(
        "SELECT contact_id FROM contact_identities WHERE kind = 'bsuid' GROUP BY 1 HAVING count(*) > 1"
    )
    assert rows == []
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0
    owner = await kernel.db.fetch_value("SELECT contact_id FROM contact_identities WHERE value = $1", P1.value)
    assert owner == await kernel.db.fetch_value("SELECT contact_id FROM contact_identities WHERE value = $1", B.value)


async def test_locks_that_turn_out_to_be_needed_are_waited_for(kernel: Kernel, number: UUID) -> None:
    """While one transaction holds Ana's LID, another learns that it needs it: it goes again, with the lock."""
    await commit_batch(kernel, lambda: Batch([Arriving(number, says("1 ana", P1, LID))]))
    async with kernel.db.transaction() as uow:
        await lock(uow, [identity_key(LID)])
        claim = asyncio.create_task(commit_batch(kernel, lambda: Batch([Arriving(number, says("2 ana", P1, A))])))
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(30):
            while not await kernel.db.fetch_value(waits):
                await asyncio.sleep(0.01)
    await claim
    assert await people(kernel) == {"ana": (values(P1, LID, A), P1.value)}


async def test_a_fact_about_nobody_is_forgotten_after_a_time(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, changed((P1,), (P2,), 10), IdentitiesLinked((LID, A)))
    assert await kernel.db.fetch_value("SELECT count(*) FROM identity_notes") == 4
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts") == 0
    async with kernel.db.transaction() as uow:
        await waiting.purge(uow, kernel.now() + timedelta(days=1))
    assert await kernel.db.fetch_value("SELECT count(*) FROM identity_notes") == 0


async def test_an_old_echo_does_not_move_a_number_back(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, says("1 ana", P1, A))
    await deliver(ingest, number, says("50 bea", P1, B))
    await deliver(ingest, number, says("2 ana", P1, A, direction=Direction.OUTBOUND))
    await deliver(ingest, number, says("3 ana", P1, direction=Direction.OUTBOUND))
    assert await people(kernel) == {"ana": (values(A), None), "bea": (values(B, P1), P1.value)}


async def test_the_old_contact_keeps_what_was_said(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, says("1 ana", P1, A, sender_name="Ana"))
    await kernel.db.execute("DELETE FROM events")
    await deliver(ingest, number, says("50 bea", P1, B, sender_name="Bea"))
    rows = await kernel.db.fetch(
        "SELECT c.profile_name, array_agg(m.text) AS said FROM contacts c JOIN conversations v ON v.contact_id = c.id "
        "JOIN messages m ON m.conversation_id = v.id GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("Ana", ["1 ana"]), ("Bea", ["50 bea"])]
    told = await kernel.db.fetch(
        "SELECT c.profile_name FROM events e JOIN conversations v ON v.id = e.subject_id "
        "JOIN contacts c ON c.id = v.contact_id WHERE e.type = 'conversation:updated' ORDER BY 1"
    )
    assert [row["profile_name"] for row in told] == ["Ana", "Bea"]
