"""What a dispatcher claimed has one outcome, which is kept: when it stops, when it was stopped, beside others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.errors import Retryable
from elsehu.contracts.message import Kind
from elsehu.contracts.outbound import OutboundMessage, Sent
from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.outbound import queue, results
from elsehu.messaging.outbound.dispatcher import Dispatcher
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.sending import enqueue
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.plugins import Plugins, load_plugins
from elsehu.secretbox import SecretBox
from elsehu.settings import Settings
from elsehu.tasks import end

from .conftest import deliver, text
from .phones import Phone, found

MACHINE = Caller(Role.ADMIN, None, "a test")


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["phone", "storage_local"]}, "messaging": {"backoff_first": 30.0}}


@pytest.fixture
def handset() -> Phone:
    return Phone()


@pytest.fixture
def plugins(settings: Settings, handset: Phone) -> Plugins:
    return load_plugins(settings, found(handset))


@pytest.fixture
async def conversation(kernel: Kernel, ingest: Ingest, number: UUID) -> UUID:
    kernel.provide(Verdicts, Verdicts(kernel))
    await kernel.db.execute("UPDATE service_instances SET provider = 'phone'")
    await deliver(ingest, number, text("IN1", "hello"))
    found_id: UUID = await kernel.db.fetch_value("SELECT id FROM conversations")
    return found_id


@asynccontextmanager
async def dispatching(kernel: Kernel) -> AsyncIterator[None]:
    task = asyncio.create_task(Dispatcher(kernel).run())
    try:
        yield
    finally:
        await end([task], patience=20)


async def say(kernel: Kernel, conversation: UUID, number: UUID, words: str) -> UUID:
    return await enqueue(kernel, MACHINE, conversation, number, Draft(Kind.TEXT, words))


async def status(kernel: Kernel, message_id: UUID) -> str:
    value: str = await kernel.db.fetch_value("SELECT status FROM messages WHERE id = $1", message_id)
    return value


async def until_status(kernel: Kernel, message_id: UUID, wanted: str) -> None:
    async with asyncio.timeout(10):
        while await status(kernel, message_id) != wanted:
            await asyncio.sleep(0.01)


async def test_a_result_that_is_being_written_when_it_stops_is_kept(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = asyncio.Event()
    record = results.record

    async def slowly(uow: UnitOfWork, *arguments: Any) -> None:
        await record(uow, *arguments)
        writes.set()
        await asyncio.sleep(0.2)

    monkeypatch.setattr(results, "record", slowly)
    async with dispatching(kernel):
        message_id = await say(kernel, conversation, number, "goodbye")
        async with asyncio.timeout(10):
            await writes.wait()
    assert await status(kernel, message_id) == "sent"


async def test_a_number_whose_secrets_cannot_be_read_is_held_and_stops_no_dispatcher(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    sealed = SecretBox(("a-key-that-nobody-has-any-more",)).encrypt(b"{}")
    await kernel.db.execute("UPDATE service_instances SET credentials = $1", sealed)
    kernel.part(Directory).drop()
    message_id = await say(kernel, conversation, number, "hello?")
    async with dispatching(kernel), asyncio.timeout(10):
        while await kernel.db.fetch_value("SELECT status FROM service_instances") != "blocked":
            await asyncio.sleep(0.01)
    assert await status(kernel, message_id) == "pending"
    assert handset.arrived == []


async def test_what_waits_behind_another_costs_no_questions(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number with a rate, and a message that waits for its predecessor's next attempt."""
    plugin = kernel.plugins.loaded[0]
    assert plugin.info.provider is not None
    plugin.info = replace(plugin.info, provider=replace(plugin.info.provider, messages_per_second=20.0))
    handset.answers.append(Retryable("busy", "come back later"))
    first = await say(kernel, conversation, number, "first")
    await say(kernel, conversation, number, "second")
    rounds = 0
    claim = queue.claim

    async def counted(*arguments: Any) -> Any:
        nonlocal rounds
        rounds += 1
        return await claim(*arguments)

    async with dispatching(kernel):
        await until_status(kernel, first, "pending")
        async with asyncio.timeout(10):
            while not await kernel.db.fetch_value("SELECT next_attempt_at FROM messages WHERE id = $1", first):
                await asyncio.sleep(0.01)
        monkeypatch.setattr(queue, "claim", counted)
        await asyncio.sleep(0.5)
    assert rounds <= 3


async def test_the_result_of_a_claim_that_was_lost_changes_no_later_one(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    """One process slept past its claim; a person had the message sent again meanwhile, by another process."""
    wakes, sleeps, sends = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleep_then_fail(message: OutboundMessage) -> Sent:
        sleeps.set()
        await wakes.wait()
        raise Retryable("refused", "it was not taken")

    async def slowly(message: OutboundMessage) -> Sent:
        sends.set()
        await asyncio.sleep(1)
        return await handset.take(message)

    handset.answers.extend([sleep_then_fail, slowly])
    async with dispatching(kernel), asyncio.timeout(20):
        message_id = await say(kernel, conversation, number, "once")
        await sleeps.wait()
        await kernel.db.execute(
            "UPDATE messages SET status = 'pending', status_rank = 0, attempts = 0, claimed_until = NULL WHERE id = $1",
            message_id,
        )
        await sends.wait()
        wakes.set()
        await asyncio.sleep(0.3)
        assert await status(kernel, message_id) == "sending"
        await until_status(kernel, message_id, "sent")
    assert len(handset.arrived) == 1


async def test_claiming_does_not_wait_for_messages_that_come_in(
    kernel: Kernel, conversation: UUID, number: UUID
) -> None:
    """Who stores a message refers to its number; who claims with a rate writes to that number."""
    await say(kernel, conversation, number, "hi")
    async with kernel.db.transaction() as arriving:
        await arriving.execute("SELECT 1 FROM service_instances FOR KEY SHARE")
        async with kernel.db.transaction() as claiming, asyncio.timeout(2):
            now, limits = kernel.now(), {number: queue.Limits(rate=20.0)}
            budgets = await queue.budgets(claiming, await queue.look(claiming, now), limits, now)
            assert len(await queue.claim(claiming, budgets, queue.Slots(5), now, timedelta(seconds=30))) == 1


async def test_the_log_shows_a_plugins_mistake_without_the_numbers_secrets(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number's webhook secret is `secret`."""

    async def break_(message: OutboundMessage) -> Sent:
        try:
            raise KeyError("headers: x-api-key=secret")
        except KeyError as error:
            raise ValueError("could not read the answer to ?key=secret&n=1") from error

    handset.answers.append(break_)
    message_id = await say(kernel, conversation, number, "hello?")
    async with dispatching(kernel):
        await until_status(kernel, message_id, "unconfirmed")
    log = capsys.readouterr().out
    assert "provider_send_broke" in log
    assert "ValueError: (its words are withheld" in log
    assert "secret" not in log
