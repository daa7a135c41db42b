"""What failures and customers tell of consent and reach: the latest word counts, whatever the order."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from elsehu.contracts.message import Mark
from elsehu.kernel import Kernel
from elsehu.messaging.contacts import marking
from elsehu.messaging.contacts.consent import set_consents
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import NOON, deliver, text

UPDATED = "SELECT count(*) FROM events WHERE type = 'conversation:updated'"


@pytest.fixture
async def conversation(kernel: Kernel, ingest: Ingest, number: UUID) -> UUID:
    """A customer's conversation; she wrote at noon."""
    await deliver(ingest, number, text("A1", "hello"))
    await kernel.db.execute("DELETE FROM events")
    conversation_id: UUID = await kernel.db.fetch_value("SELECT id FROM conversations")
    return conversation_id


async def mark(kernel: Kernel, conversation_id: UUID, what: Mark, seconds: float) -> None:
    async with kernel.db.transaction() as uow:
        await marking.mark(uow, [conversation_id], what, "not on WhatsApp", NOON + timedelta(seconds=seconds))


async def unreachable(kernel: Kernel) -> tuple[object, ...]:
    row = await kernel.db.fetch_row("SELECT unreachable_at, unreachable_reason FROM contacts")
    assert row is not None
    return tuple(row)


async def test_who_cannot_be_reached_until_something_is_delivered(kernel: Kernel, conversation: UUID) -> None:
    await mark(kernel, conversation, Mark.RECIPIENT, 9)
    await mark(kernel, conversation, Mark.RECIPIENT, 5)
    assert await unreachable(kernel) == (NOON + timedelta(seconds=9), "not on WhatsApp")
    assert await kernel.db.fetch_value(UPDATED) == 1
    for _ in range(2):
        async with kernel.db.transaction() as uow:
            await marking.reached(uow, [conversation])
        assert await unreachable(kernel) == (None, "")
        assert await kernel.db.fetch_value(UPDATED) == 2


async def test_a_failure_from_before_the_customer_wrote_says_nothing_of_now(kernel: Kernel, conversation: UUID) -> None:
    await mark(kernel, conversation, Mark.RECIPIENT, -5)
    assert await unreachable(kernel) == (None, "")


async def test_a_template_is_not_its_recipient(kernel: Kernel, conversation: UUID) -> None:
    await mark(kernel, conversation, Mark.TEMPLATE, 5)
    assert await unreachable(kernel) == (None, "")


@pytest.mark.parametrize(
    ("told", "out_since"),
    [
        ([(False, 1)], 1),
        ([(False, 1), (True, 2)], None),
        ([(False, 2), (True, 2)], 2),
        ([(False, 1), (False, 3), (True, 2)], 3),
        ([(False, 1), (True, 3), (False, 2)], None),
    ],
)
async def test_the_latest_word_on_marketing_counts_in_any_order(
    kernel: Kernel, conversation: UUID, told: Sequence[tuple[bool, int]], out_since: int | None
) -> None:
    contact: UUID = await kernel.db.fetch_value("SELECT id FROM contacts")
    for order in permutations(told):
        await kernel.db.execute("UPDATE contacts SET opted_out_at = NULL, consent_at = NULL")
        for accepts, seconds in (*order, order[0]):
            async with kernel.db.transaction() as uow:
                await set_consents(uow, [(contact, accepts, NOON + timedelta(seconds=seconds))])
        found = await kernel.db.fetch_value("SELECT opted_out_at FROM contacts")
        assert found == (None if out_since is None else NOON + timedelta(seconds=out_since))


async def test_a_refusal_of_marketing_opts_out(kernel: Kernel, conversation: UUID) -> None:
    await mark(kernel, conversation, Mark.NO_MARKETING, 5)
    await mark(kernel, conversation, Mark.NO_MARKETING, 6)
    assert await kernel.db.fetch_value("SELECT opted_out_at FROM contacts") == NOON + timedelta(seconds=6)
    assert await kernel.db.fetch_value(UPDATED) == 1
