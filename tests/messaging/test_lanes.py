"""Lanes are paced and stopped by the database, whoever dispatches; what people write overtakes them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from elsehu.background import running
from elsehu.contracts.errors import Conflict, NotFound, Retryable
from elsehu.contracts.message import Kind
from elsehu.contracts.outbound import OutboundMessage, Sent
from elsehu.contracts.plugin import PairLimit
from elsehu.contracts.user import Caller, Role
from elsehu.db import Row, UnitOfWork
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.outbound import decisions, queue
from elsehu.messaging.outbound.dispatcher import Dispatcher
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.lanes import steer_lane, tell_held
from elsehu.messaging.outbound.queue import Limits, Slots
from elsehu.messaging.outbound.sending import enqueue
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

from .crowd import OWNER, bulk, crowd, lane, queue_bulk
from .phones import Phone, found

MACHINE = Caller(Role.ADMIN, None, "a test")
LEASE = timedelta(seconds=30)
ALL = Slots(1000, 1000)
NONE = Limits()
OWNERS = [OWNER]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["phone", "storage_local"]},
        "messaging": {"concurrency": 8, "backoff_first": 0.05, "backoff_max": 0.1},
    }


@pytest.fixture
def handset() -> Phone:
    return Phone()


@pytest.fixture
def plugins(settings: Settings, handset: Phone) -> Plugins:
    return load_plugins(settings, found(handset))


@pytest.fixture
async def number(kernel: Kernel, number: UUID) -> UUID:
    await kernel.db.execute("UPDATE service_instances SET provider = 'phone'")
    kernel.provide(Directory, Directory(kernel))
    kernel.provide(Verdicts, Verdicts(kernel))
    return number


@pytest.fixture
async def dispatching(kernel: Kernel, number: UUID) -> AsyncIterator[None]:
    async with running({f"dispatcher {n}": Dispatcher(kernel).run for n in range(2)}):
        yield


async def claim(uow: UnitOfWork, at: datetime, free: Slots = ALL, limits: Limits = NONE) -> list[Row]:
    """Claim as a dispatcher does at the time `at`."""
    ready = [row for row in await queue.look(uow, at, OWNERS) if row["has_own"] or row["has_bulk"]]
    budgets = await queue.budgets(uow, ready, {row["id"]: limits for row in ready}, at)
    return list(await queue.claim(uow, budgets, free, at, LEASE, owners=OWNERS))


async def leave(kernel: Kernel, at: datetime, free: Slots = ALL, limits: Limits = NONE) -> list[str]:
    """Claim, and have the provider take it at once; returns the texts."""
    async with kernel.db.transaction() as uow:
        rows = await claim(uow, at, free, limits)
        await uow.execute("UPDATE messages SET status = 'sent', status_rank = 3 WHERE status = 'sending'")
    return [row["text"] for row in rows]


async def until_arrived(handset: Phone, count: int) -> None:
    async with asyncio.timeout(15):
        while len(handset.arrived) < count:
            await asyncio.sleep(0.01)


async def say(kernel: Kernel, contact: UUID, number: UUID, words: str) -> UUID:
    found_id = await kernel.db.fetch_value("SELECT id FROM conversations WHERE contact_id = $1", contact)
    return await enqueue(kernel, MACHINE, found_id, number, Draft(Kind.TEXT, words))


@pytest.mark.parametrize(
    ("gap", "claims", "leaving"),
    [
        (0, [0, 0], [5, 0]),
        (2, [0, 0, 1.9, 2.0, 3.9, 4.0], [1, 0, 0, 1, 0, 1]),
        (2, [0, 2.09, 3.9, 4.0, 6.0], [1, 1, 0, 1, 1]),  # a little late, and the next is in time again
        (2, [0, 60, 61.9, 62, 64], [1, 1, 0, 1, 1]),  # a rest is not made up for
        (0.05, [0, 0.05, 0.1], [1, 1, 1]),
    ],
)
async def test_the_pace_of_a_lane(
    kernel: Kernel, number: UUID, gap: float, claims: list[float], leaving: list[int]
) -> None:
    start = kernel.now()
    lane_id = await lane(kernel, number, gap=gap)
    await queue_bulk(kernel, lane_id, bulk(await crowd(kernel, 5)))
    assert [len(await leave(kernel, start + timedelta(seconds=at))) for at in claims] == leaving


async def test_gaps_are_drawn_around_their_mean(kernel: Kernel, number: UUID) -> None:
    lane_id = await lane(kernel, number, gap=10, jitter=0.5)
    await queue_bulk(kernel, lane_id, bulk(await crowd(kernel, 80)))
    times = [kernel.now()]
    for _ in range(80):
        assert len(await leave(kernel, times[-1])) == 1
        times.append(await kernel.db.fetch_value("SELECT next_at FROM message_lanes"))
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert all(5 <= gap <= 15 for gap in gaps) and max(gaps) - min(gaps) > 5
    assert 8.5 < sum(gaps) / len(gaps) < 11.5, "five standard deviations"


async def test_lanes_of_one_number_take_turns_and_share_its_rate_with_people(kernel: Kernel, number: UUID) -> None:
    people = await crowd(kernel, 12)
    for name, some in (("a", people[:5]), ("b", people[5:10])):
        await queue_bulk(kernel, await lane(kernel, number), bulk(some, name))
    start, limits = kernel.now(), Limits(rate=1.0)
    left = []
    for n in range(6):
        if n == 3:
            await say(kernel, people[0], number, "person")
        left += await leave(kernel, start + timedelta(seconds=n * 1.1), limits=limits)
    assert sorted(left[:3]) in (["a", "a", "b"], ["a", "b", "b"]) and left[0] != left[1]
    assert left[3] == "person" and sorted(left[4:]) == ["a", "b"]


async def test_lanes_get_what_people_leave_them_of_the_slots(kernel: Kernel, number: UUID) -> None:
    people = await crowd(kernel, 10)
    await queue_bulk(kernel, await lane(kernel, number), bulk(people, "bulk"))
    for contact in people[:3]:
        await say(kernel, contact, number, "person")
    assert await leave(kernel, kernel.now(), Slots(5, 3)) == ["person"] * 3 + ["bulk"] * 2
    assert await leave(kernel, kernel.now(), Slots(5, 3)) == ["bulk"] * 3


async def test_what_people_write_overtakes_in_its_conversation_and_never_two_are_in_flight(
    kernel: Kernel, number: UUID
) -> None:
    [contact] = await crowd(kernel, 1)
    await queue_bulk(kernel, await lane(kernel, number), bulk([contact], "first") + bulk([contact], "second"))
    assert await leave(kernel, kernel.now()) == ["first"]
    await say(kernel, contact, number, "person")
    async with kernel.db.transaction() as uow:
        assert [row["text"] for row in await claim(uow, kernel.now())] == ["person"]
    async with kernel.db.transaction() as uow:
        assert await claim(uow, kernel.now()) == []
        await uow.execute("UPDATE messages SET status = 'sent', status_rank = 3 WHERE status = 'sending'")
    assert await leave(kernel, kernel.now()) == ["second"]


async def test_what_overtakes_waits_for_a_claim_that_is_not_committed_yet(kernel: Kernel, number: UUID) -> None:
    [contact] = await crowd(kernel, 1)
    await queue_bulk(kernel, await lane(kernel, number), bulk([contact]))
    async with kernel.db.transaction() as one:
        assert len(await claim(one, kernel.now())) == 1
        await say(kernel, contact, number, "person")
        other = asyncio.create_task(leave(kernel, kernel.now()))
        async with asyncio.timeout(5):
            while not await kernel.db.fetch_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
    assert await other == []


async def test_a_limit_for_one_customer_holds_for_lanes_too(kernel: Kernel, number: UUID) -> None:
    contacts = await crowd(kernel, 2)
    messages = bulk(contacts) + bulk(contacts[:1], "again")
    await queue_bulk(kernel, await lane(kernel, number), messages)
    start, limits = kernel.now(), Limits(pair=PairLimit(seconds=6, burst=0))
    assert await leave(kernel, start, limits=limits) == ["Big sale!"] * 2
    assert await leave(kernel, start + timedelta(seconds=5), limits=limits) == []
    assert await leave(kernel, start + timedelta(seconds=6), limits=limits) == ["again"]


async def test_a_lane_that_is_not_open_sends_nothing_and_costs_no_look(kernel: Kernel, number: UUID) -> None:
    lane_id = await lane(kernel, number, is_open=False)
    await queue_bulk(kernel, lane_id, bulk(await crowd(kernel, 3)))
    now = kernel.now()

    async def seen(**how: Any) -> tuple[bool, datetime | None]:
        async with kernel.db.transaction() as uow:
            await steer_lane(uow, lane_id, **how)
            [row] = await queue.look(uow, now, OWNERS)
            return row["has_bulk"], row["next_at"]

    assert await seen(is_open=False) == (False, None)
    assert await seen(is_open=True, open_until=now) == (False, None)
    assert await seen(is_open=True, open_until=now + timedelta(hours=1)) == (True, None)
    await seen(is_open=True, gap=5)
    assert await leave(kernel, now) == ["Big sale!"]
    assert await seen(is_open=True) == (False, now + timedelta(seconds=5))
    assert await seen(is_open=False) == (False, None)
    is_faster, at = await seen(is_open=True, gap=1)
    assert not is_faster and at is not None and at < now + timedelta(seconds=4)
    await kernel.db.execute("UPDATE messages SET next_attempt_at = $1", now + timedelta(seconds=30))
    assert await seen(is_open=True) == (False, now + timedelta(seconds=30)), "nothing before its next attempt"


async def test_steering_refuses_what_makes_no_sense(kernel: Kernel, number: UUID) -> None:
    lane_id = await lane(kernel, number)
    async with kernel.db.transaction() as uow:
        with pytest.raises(NotFound):
            await steer_lane(uow, number, is_open=True)
        for how in ({"gap": -1.0}, {"jitter": 1.1}):
            with pytest.raises(ValueError, match="0 to 1"):
                await steer_lane(uow, lane_id, is_open=True, **how)


@pytest.mark.parametrize("is_first", ["claim", "stop"])
async def test_nothing_is_claimed_after_a_stop(kernel: Kernel, number: UUID, is_first: str) -> None:
    lane_id = await lane(kernel, number)
    await queue_bulk(kernel, lane_id, bulk(await crowd(kernel, 6)))
    some = Slots(2, 2)
    if is_first == "claim":
        async with kernel.db.transaction() as claiming:
            assert len(await claim(claiming, kernel.now(), some)) == 2
            stop = asyncio.create_task(stopped(kernel, lane_id))
            await asyncio.sleep(0.1)
            assert not stop.done(), "it waits for the claim that has begun"
        await stop
    else:
        async with kernel.db.transaction() as stopping:
            await steer_lane(stopping, lane_id, is_open=False)
            async with kernel.db.transaction() as claiming, asyncio.timeout(5):
                assert await claim(claiming, kernel.now()) == [], "it does not wait for who stops the lane"
    async with kernel.db.transaction() as uow:
        assert await claim(uow, kernel.now()) == []


async def stopped(kernel: Kernel, lane_id: UUID) -> None:
    async with kernel.db.transaction() as uow:
        await steer_lane(uow, lane_id, is_open=False)


async def test_a_failed_message_that_a_person_sends_again_needs_no_lane(kernel: Kernel, number: UUID) -> None:
    lane_id = await lane(kernel, number)
    [message] = bulk(await crowd(kernel, 1))
    await queue_bulk(kernel, lane_id, [message])
    await kernel.db.execute("UPDATE messages SET status = 'failed', status_rank = 4")
    await stopped(kernel, lane_id)
    async with kernel.db.transaction() as uow:
        await decisions.retry(uow, message.id)
    assert await leave(kernel, kernel.now()) == ["Big sale!"]


async def test_a_failed_one_to_somebody_who_opted_out_is_not_sent_again(kernel: Kernel, number: UUID) -> None:
    lane_id = await lane(kernel, number)
    [message] = bulk(await crowd(kernel, 1))
    await queue_bulk(kernel, lane_id, [message])
    await kernel.db.execute("UPDATE messages SET status = 'failed', status_rank = 4, error_code = 'opted_out'")
    await kernel.db.execute("UPDATE contacts SET opted_out_at = now()")
    with pytest.raises(Conflict) as refused:
        async with kernel.db.transaction() as uow:
            await decisions.retry(uow, message.id)
    assert refused.value.code == "opted_out"
    await kernel.db.execute("UPDATE contacts SET opted_out_at = NULL")
    async with kernel.db.transaction() as uow:
        await decisions.retry(uow, message.id)
    assert await leave(kernel, kernel.now()) == ["Big sale!"]


async def test_what_a_closed_lane_holds_back_holds_up_neither_other_lanes_nor_people(
    kernel: Kernel, number: UUID
) -> None:
    people = await crowd(kernel, 2)
    closed, other = await lane(kernel, number, is_open=False), await lane(kernel, number)
    await queue_bulk(kernel, closed, bulk(people, "closed"))
    await queue_bulk(kernel, other, bulk(people, "first") + bulk(people, "second"))
    await say(kernel, people[0], number, "person")
    assert await leave(kernel, kernel.now()) == ["person", "first"], "people come first, in each conversation"
    assert sorted(await leave(kernel, kernel.now())) == ["first", "second"]
    assert await leave(kernel, kernel.now()) == ["second"]
    assert await leave(kernel, kernel.now()) == []


async def test_two_lanes_never_send_into_one_conversation_at_once(kernel: Kernel, number: UUID) -> None:
    people = await crowd(kernel, 3)
    for name in ("a", "b"):
        await queue_bulk(kernel, await lane(kernel, number), bulk(people, name))
    async with kernel.db.transaction() as uow:
        rows = await claim(uow, kernel.now())
        assert len({row["conversation_id"] for row in rows}) == len(rows) == 3
        assert await claim(uow, kernel.now()) == []
        await uow.execute("UPDATE messages SET status = 'sent', status_rank = 3 WHERE status = 'sending'")
    assert len(await leave(kernel, kernel.now())) == 3


async def test_a_lane_waits_while_its_plugin_is_not_enabled(kernel: Kernel, number: UUID) -> None:
    await queue_bulk(kernel, await lane(kernel, number), bulk(await crowd(kernel, 2)))
    await kernel.db.execute("UPDATE message_lanes SET owner = 'gone'")
    assert await leave(kernel, kernel.now()) == []
    with capture_logs() as logs:
        async with kernel.db.reader() as uow:
            await tell_held(uow, OWNERS)
            await tell_held(uow, [*OWNERS, "gone"])
    assert [(line["event"], line["plugin"], line["lanes"]) for line in logs] == [("lanes_wait_for_plugin", "gone", 1)]
    await kernel.db.execute("UPDATE message_lanes SET owner = $1", OWNER)
    assert len(await leave(kernel, kernel.now())) == 2


@pytest.mark.usefixtures("dispatching")
async def test_two_dispatchers_send_a_lane_each_message_once(kernel: Kernel, handset: Phone, number: UUID) -> None:
    handset.answers.extend([Retryable("busy", "come back later")] * 5)
    handset.seconds = 0.002
    lane_id = await lane(kernel, number)
    await queue_bulk(kernel, lane_id, bulk(await crowd(kernel, 120)))
    await until_arrived(handset, 120)
    assert len({message.id for message in handset.arrived}) == 120
    async with asyncio.timeout(10):
        while await kernel.db.fetch_value("SELECT count(*) FROM messages WHERE status <> 'sent'"):
            await asyncio.sleep(0.01)
    assert len(handset.arrived) == 120


@pytest.mark.usefixtures("dispatching")
async def test_a_paced_lane_is_woken_in_time_by_two_dispatchers(kernel: Kernel, handset: Phone, number: UUID) -> None:
    await queue_bulk(kernel, await lane(kernel, number, gap=0.2), bulk(await crowd(kernel, 6)))
    await until_arrived(handset, 6)
    took = handset.times[-1] - handset.times[0]
    assert 0.95 <= took <= 1.4, "five gaps, and no dispatcher slept a second"


async def test_an_answer_finds_a_place_beside_a_slow_lane(kernel: Kernel, handset: Phone, number: UUID) -> None:
    """One process with 8 places, 6 of them for lanes."""
    contacts = await crowd(kernel, 12)
    await queue_bulk(kernel, await lane(kernel, number), bulk(contacts, "bulk"))
    begun, all_begun, go_on = 0, asyncio.Event(), asyncio.Event()

    async def hang(message: OutboundMessage) -> Sent:
        nonlocal begun
        begun += 1
        if begun == 6:
            all_begun.set()
        await go_on.wait()
        return await handset.take(message)

    handset.answers.extend([hang] * 6)
    async with running({"dispatcher": Dispatcher(kernel).run}), asyncio.timeout(15):
        await all_begun.wait()
        await say(kernel, contacts[-1], number, "person")
        await until_arrived(handset, 1)
        assert [message.text for message in handset.arrived] == ["person"]
        go_on.set()
        await until_arrived(handset, 13)


@pytest.mark.usefixtures("dispatching")
async def test_who_opted_out_before_it_leaves_gets_nothing(kernel: Kernel, handset: Phone, number: UUID) -> None:
    lane_id = await lane(kernel, number, is_open=False)
    contacts = await crowd(kernel, 2)
    messages = bulk(contacts)
    assert await queue_bulk(kernel, lane_id, messages) == {}
    await kernel.db.execute("UPDATE contacts SET opted_out_at = now() WHERE id = $1", contacts[0])
    async with kernel.db.transaction() as uow:
        await steer_lane(uow, lane_id, is_open=True)
    await until_arrived(handset, 1)
    async with asyncio.timeout(10):
        while not (code := await kernel.db.fetch_value("SELECT error_code FROM messages WHERE status = 'failed'")):
            await asyncio.sleep(0.01)
    assert code == "opted_out" and [message.id for message in handset.arrived] == [messages[1].id]
    await say(kernel, contacts[0], number, "an answer is no such message")
    await until_arrived(handset, 2)
