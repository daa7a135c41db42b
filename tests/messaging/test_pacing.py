"""A provider's limit for one customer slows that customer's messages, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.background import running
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import PairLimit
from elsehu.contracts.user import Caller, Role
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.outbound import queue
from elsehu.messaging.outbound.dispatcher import Dispatcher
from elsehu.messaging.outbound.queue import Budget, Slots
from elsehu.messaging.outbound.sending import Draft, enqueue
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

from .conftest import deliver, phone, text
from .phones import Phone, found

MACHINE = Caller(Role.ADMIN, None, "a test")
LEASE = timedelta(seconds=30)
TEN = Slots(10)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["phone", "storage_local"]}}


@pytest.fixture
def handset() -> Phone:
    return Phone()


@pytest.fixture
def plugins(settings: Settings, handset: Phone) -> Plugins:
    return load_plugins(settings, found(handset))


@pytest.fixture
async def customers(kernel: Kernel, ingest: Ingest, number: UUID) -> AsyncIterator[list[UUID]]:
    """The conversations of two customers of a number whose provider has a limit for each."""
    kernel.provide(Verdicts, Verdicts(kernel))
    await kernel.db.execute("UPDATE service_instances SET provider = 'phone'")
    for n in range(2):
        await deliver(ingest, number, text(f"IN{n}", "hi", phone(f"551190000{n:04d}")))
    rows = await kernel.db.fetch("SELECT id FROM conversations ORDER BY id")
    yield [row["id"] for row in rows]


def limited(kernel: Kernel, limit: PairLimit) -> None:
    plugin = kernel.plugins.loaded[0]
    assert plugin.info.provider is not None
    plugin.info = replace(plugin.info, provider=replace(plugin.info.provider, pair_limit=limit))


async def say(kernel: Kernel, conversation: UUID, number: UUID, words: str) -> UUID:
    return await enqueue(kernel, MACHINE, conversation, number, Draft(Kind.TEXT, words))


async def test_one_customer_is_slowed_and_the_other_is_not(
    kernel: Kernel, handset: Phone, number: UUID, customers: list[UUID]
) -> None:
    limited(kernel, PairLimit(seconds=0.4, burst=2))
    much, little = customers
    for n in range(5):
        await say(kernel, much, number, f"much {n}")
    await say(kernel, little, number, "little")
    async with running({f"dispatcher {n}": Dispatcher(kernel).run for n in range(2)}):
        async with asyncio.timeout(15):
            while len(handset.arrived) < 6:
                await asyncio.sleep(0.01)
    words = [message.text for message in handset.arrived]
    assert [one for one in words if one != "little"] == [f"much {n}" for n in range(5)], "in order"
    assert words.index("little") < 4, "before the first that had to wait"
    times = [at - handset.times[0] for at, word in zip(handset.times, words, strict=True) if word != "little"]
    for n in (3, 4):
        assert 0.4 * (n - 2) - 0.05 <= times[n] <= 0.4 * (n - 2) + 0.3, "when its time has come, not at the next look"


async def test_the_pace_is_kept_in_the_conversation(kernel: Kernel, number: UUID, customers: list[UUID]) -> None:
    """The generic cell rate algorithm, with the clock in the test's hands."""
    limit, now = PairLimit(seconds=6, burst=1), kernel.now()
    for n in range(4):
        await say(kernel, customers[0], number, f"line {n}")

    async def left(seconds: float) -> tuple[int, float | None]:
        """Claim; return how many left, and in how many seconds the next may. What left is answered at once."""
        at = now + timedelta(seconds=seconds)
        async with kernel.db.transaction() as uow:
            budgets = [Budget(number, pair=limit)]
            rows = await queue.claim(uow, budgets, TEN, at, LEASE)
            await uow.execute("UPDATE messages SET status = 'sent', status_rank = 3 WHERE status = 'sending'")
            due = await queue.more_at(uow, budgets, rows, at)
            return len(rows), due and (due - at).total_seconds()

    assert await left(0) == (1, 0.0), "one, and one ahead"
    assert await left(0) == (1, 6.0)
    assert await left(5) == (0, 1.0)
    assert await left(6) == (1, 6.0)
    assert await left(13) == (1, None)
    await say(kernel, customers[0], number, "after a rest")
    await say(kernel, customers[0], number, "and one ahead")
    assert await left(60) == (1, 0.0)
    assert await left(60) == (1, None)


async def test_a_conversation_that_is_being_written_to_is_not_waited_for(
    kernel: Kernel, number: UUID, customers: list[UUID]
) -> None:
    limit = PairLimit(seconds=6, burst=1)
    for conversation in customers:
        await say(kernel, conversation, number, "hi")
    async with kernel.db.transaction() as arriving:
        await arriving.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", customers[0])
        async with kernel.db.transaction() as uow, asyncio.timeout(2):
            budgets = [Budget(number, pair=limit)]
            rows = await queue.claim(uow, budgets, TEN, kernel.now(), LEASE)
            assert [row["conversation_id"] for row in rows] == customers[1:]


async def test_what_costs_nothing_elsewhere(kernel: Kernel, number: UUID, customers: list[UUID]) -> None:
    """Without a limit for each customer conversations are not written to."""
    await say(kernel, customers[0], number, "hi")
    async with kernel.db.transaction() as uow:
        budgets = [Budget(number)]
        rows = await queue.claim(uow, budgets, TEN, kernel.now(), LEASE)
        assert len(rows) == 1
        assert await queue.more_at(uow, budgets, rows, kernel.now()) is None
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations WHERE paced_until IS NOT NULL") == 0
