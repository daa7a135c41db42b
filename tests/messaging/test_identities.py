"""One person is one contact, two people are two, whatever of their addresses a message shows and whenever it comes.

Times are hours after a day long ago: numbers change hands, and people change numbers, within days at the soonest.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.inbound import Event, IdentitiesLinked, IdentityChanged, MessageArrived
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

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


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_in_every_order(kernel: Kernel, ingest: Ingest, number: UUID, name: str) -> None:
    events, expected = STORIES[name]
    orders = list(permutations(events))
    for place, order in enumerate(orders[:: max(1, len(orders) // 8)]):
        await kernel.db.execute("TRUNCATE contacts, conversations, messages, waiting_updates, identity_notes CASCADE")
        if place % 3 == 2:
            await deliver(ingest, number, *order)
        else:
            for event in (*order, order[0], order[-1]):
                await deliver(ingest, number, event)
        found = await people(kernel)
        order_told = [getattr(event, "text", event) for event in order]
        assert found.keys() == expected.keys(), order_told
        for who, (have, shown) in expected.items():
            addresses, shown_now = found[who]
            assert addresses == values(*have), order_told
            assert shown is EITHER or shown_now == (shown and shown.value), order_told
