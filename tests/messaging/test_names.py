"""A contact is called what the newest message shows, however messages come; seeing a name again writes no contact."""

import random
from dataclasses import dataclass
from uuid import UUID

import pytest

from elsehu.contracts.inbound import IdentitiesLinked, MessageArrived
from elsehu.contracts.message import Identity
from elsehu.ids import new_token
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import deliver, lid, phone, text

NAMES = ("Ana", "Maria", "Zé", "", None)
CONTACTS = """
SELECT c.id, c.profile_name, c.xmin::text AS written FROM contacts c
JOIN contact_identities i ON i.contact_id = c.id WHERE i.value = $1
"""


@dataclass(frozen=True)
class Story:
    """What one customer wrote, by phone and by LID, and that both are hers."""

    phone: Identity
    lid: Identity
    messages: list[MessageArrived]

    @property
    def newest_name(self) -> str:
        return max((one.at, one.sender_name) for one in self.messages if one.sender_name)[1]


def story(rng: random.Random, number: int, senders: tuple[int, ...]) -> Story:
    """Return twelve messages at times that repeat, some without a name, some that open nothing."""
    her_phone, her_lid = phone(f"55119{number:08}"), lid(f"{number}")
    ways = ((her_phone,), (her_lid,), (her_phone, her_lid))
    messages = [
        text(
            new_token(8),
            "hello",
            *ways[rng.choice(senders)],
            seconds=rng.randint(0, 8),
            sender_name=rng.choice(NAMES),
            opens=place == 0 or rng.random() < 0.8,
        )
        for place in range(11)
    ]
    return Story(her_phone, her_lid, [*messages, text(new_token(8), "hi", *ways[2], seconds=4, sender_name="Bia")])


@pytest.mark.parametrize("senders", [(0,), (0, 1, 2)], ids=["one address", "several addresses"])
async def test_the_newest_name_wins_in_any_order_and_grouping(
    kernel: Kernel, ingest: Ingest, number: UUID, seed: int, senders: tuple[int, ...]
) -> None:
    rng = random.Random(seed)
    for customer in range(6):
        told = story(rng, seed * 100 + customer, senders)
        events = [*told.messages, *rng.sample(told.messages, 4), IdentitiesLinked((told.phone, told.lid))]
        rng.shuffle(events)
        while events:
            size = rng.randint(1, 4)
            await deliver(ingest, number, *events[:size])
            events = events[size:]
        rows = await kernel.db.fetch(CONTACTS, told.phone.value)
        assert [row["profile_name"] for row in rows] == [told.newest_name]


async def test_a_name_seen_again_writes_no_contact_and_still_beats_an_older_one(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    maria = phone("5511900000077")
    await deliver(ingest, number, text("N1", "first", maria, seconds=1, sender_name="Maria"))
    before = await kernel.db.fetch_row(CONTACTS, maria.value)
    await deliver(ingest, number, text("N2", "again", maria, seconds=9, sender_name="Maria"))
    assert await kernel.db.fetch_row(CONTACTS, maria.value) == before
    await deliver(ingest, number, text("N3", "late", maria, seconds=5, sender_name="Ana"))
    assert await kernel.db.fetch_row(CONTACTS, maria.value) == before
    await deliver(ingest, number, text("N4", "newer", maria, seconds=10, sender_name="Ana"))
    after = await kernel.db.fetch_row(CONTACTS, maria.value)
    assert after is not None
    assert after["profile_name"] == "Ana"


async def test_a_name_seen_again_by_what_opens_no_conversation_counts(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    maria = phone("5511900000078")
    for seconds, name in ((1, "Maria"), (9, "Maria"), (5, "Ana")):
        vote = text(f"V{seconds}", "a vote", maria, seconds=seconds, sender_name=name, opens=False)
        await deliver(ingest, number, vote)
    row = await kernel.db.fetch_row(CONTACTS, maria.value)
    assert row is not None
    assert row["profile_name"] == "Maria"


async def test_of_two_contacts_that_become_one_the_name_seen_last_is_kept(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    by_phone, by_lid = phone("5511900000079"), lid("79")
    for seconds, sender, name in ((1, by_phone, "Maria"), (9, by_phone, "Maria"), (5, by_lid, "Ana")):
        await deliver(ingest, number, text(f"L{seconds}", "hello", sender, seconds=seconds, sender_name=name))
    await deliver(ingest, number, IdentitiesLinked((by_phone, by_lid)))
    row = await kernel.db.fetch_row(CONTACTS, by_phone.value)
    assert row is not None
    assert row["profile_name"] == "Maria"
