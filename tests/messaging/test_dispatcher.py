"""A message that was accepted is sent once: in order, again only when it certainly was not taken, never twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from elsehu.background import running
from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, Rejected, Retryable
from elsehu.contracts.message import Direction, Kind
from elsehu.contracts.outbound import OutboundMessage, Sent
from elsehu.contracts.user import Caller, Role
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.history import History
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.outbound.dispatcher import Dispatcher
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.sending import enqueue
from elsehu.messaging.outbound.settling import Settler
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

from .conftest import deliver, phone, text
from .phones import Phone, found

MACHINE = Caller(Role.ADMIN, None, "a test")


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["phone", "storage_local"]},
        "messaging": {"backoff_first": 0.05, "backoff_max": 0.2, "send_timeout": 1.0, "max_attempts": 4},
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
    return number


@pytest.fixture
async def parts(kernel: Kernel, ingest: Ingest) -> AsyncIterator[None]:
    kernel.provide(Verdicts, Verdicts(kernel))
    kernel.provide(History, History(kernel, ingest))
    dispatchers = {f"dispatcher {n}": Dispatcher(kernel).run for n in range(2)}
    async with running({**dispatchers, "settler": Settler(kernel).run}):
        yield


@pytest.fixture
async def conversation(kernel: Kernel, ingest: Ingest, number: UUID) -> UUID:
    await deliver(ingest, number, text("IN1", "hello"))
    found_id: UUID = await kernel.db.fetch_value("SELECT id FROM conversations")
    return found_id


async def say(kernel: Kernel, conversation: UUID, number: UUID, words: str) -> UUID:
    return await enqueue(kernel, MACHINE, conversation, number, Draft(Kind.TEXT, words))


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    async with asyncio.timeout(seconds):
        while not (value := await condition()):
            await asyncio.sleep(0.02)
    return value


def statuses(kernel: Kernel) -> Callable[[], Awaitable[list[str]]]:
    async def read() -> list[str]:
        rows = await kernel.db.fetch("SELECT status FROM messages WHERE direction = 'OUTBOUND' ORDER BY seq")
        return [row["status"] for row in rows]

    return read


def all_are(kernel: Kernel, *wanted: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await statuses(kernel)() == list(wanted)

    return check


@pytest.mark.usefixtures("parts")
async def test_one_conversation_leaves_in_order_one_at_a_time(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    handset.seconds = 0.005
    for n in range(20):
        await say(kernel, conversation, number, f"line {n}")
    await until(all_are(kernel, *["sent"] * 20))
    assert [message.text for message in handset.arrived] == [f"line {n}" for n in range(20)]
    assert handset.most_in_flight_of_one == 1


@pytest.mark.usefixtures("parts")
async def test_what_was_not_taken_is_tried_again_and_keeps_its_place(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    handset.answers.extend([Retryable("down", "refused"), Retryable("busy", "429", retry_after=0.1)])
    await say(kernel, conversation, number, "first")
    await say(kernel, conversation, number, "second")
    await until(all_are(kernel, "sent", "sent"))
    assert [message.text for message in handset.arrived] == ["first", "second"]


@pytest.mark.usefixtures("parts")
async def test_retries_end(kernel: Kernel, handset: Phone, conversation: UUID, number: UUID) -> None:
    handset.answers.extend([Retryable("down", "refused")] * 4)
    message_id = await say(kernel, conversation, number, "never")
    await until(all_are(kernel, "failed"))
    row = await kernel.db.fetch_row("SELECT error_code, attempts FROM messages WHERE id = $1", message_id)
    assert (row["error_code"], row["attempts"]) == ("down", 4)


@pytest.mark.usefixtures("parts")
async def test_a_refusal_fails_and_the_next_goes_on(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    handset.answers.append(Rejected("recipient_not_on_whatsapp", "no such person", "404"))
    await say(kernel, conversation, number, "to nobody")
    await say(kernel, conversation, number, "to somebody")
    await until(all_are(kernel, "failed", "sent"))


@pytest.mark.usefixtures("parts")
async def test_a_sick_number_holds_its_queue_and_burns_nothing(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    handset.answers.append(InstanceSick("disconnected", "the phone is off"))
    await say(kernel, conversation, number, "patience")
    status = "SELECT status FROM service_instances"

    async def is_disconnected() -> bool:
        return bool(await kernel.db.fetch_value(status) == "disconnected")

    await until(is_disconnected)
    assert await statuses(kernel)() == ["pending"]
    assert await kernel.db.fetch_value("SELECT attempts FROM messages WHERE direction = 'OUTBOUND'") == 0
    await kernel.db.execute("UPDATE service_instances SET status = 'connected', hold_until = NULL")
    await until(all_are(kernel, "sent"))


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("how", ["raises", "hangs", "breaks"])
async def test_an_unknown_outcome_is_never_sent_again(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID, how: str
) -> None:
    async def arrive_and_fail(message: OutboundMessage) -> Sent:
        await handset.take(message)
        if how == "hangs":
            await asyncio.sleep(30)
        raise OutcomeUnknown("timeout", "no answer") if how == "raises" else ValueError("a bug in the plugin")

    handset.answers.append(arrive_and_fail)
    await say(kernel, conversation, number, "once")
    await say(kernel, conversation, number, "next")
    await until(all_are(kernel, "unconfirmed", "sent"))
    await asyncio.sleep(0.3)
    assert [message.text for message in handset.arrived] == ["once", "next"]


@pytest.mark.usefixtures("parts")
async def test_an_echo_settles_what_is_unconfirmed(
    kernel: Kernel, handset: Phone, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    async def arrive_and_time_out(message: OutboundMessage) -> Sent:
        await handset.take(message)
        raise OutcomeUnknown("timeout", "no answer")

    handset.answers.append(arrive_and_time_out)
    await say(kernel, conversation, number, "did it arrive?")
    await until(all_are(kernel, "unconfirmed"))
    echo = text("ECHO1", "did it arrive?", direction=Direction.OUTBOUND, through_api=True, seconds=9)
    await deliver(ingest, number, echo)
    rows = await kernel.db.fetch("SELECT status, external_id FROM messages WHERE direction = 'OUTBOUND'")
    assert [tuple(row) for row in rows] == [("sent", "ECHO1")]


@pytest.mark.usefixtures("parts")
async def test_an_echo_that_overtakes_the_answer_is_no_second_message(
    kernel: Kernel, handset: Phone, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    async def echo_first(message: OutboundMessage) -> Sent:
        sent = await handset.take(message)
        own = text(sent.external_id, "race", direction=Direction.OUTBOUND, through_api=True, seconds=9)
        foreign = text("OTHER", "by another program", direction=Direction.OUTBOUND, through_api=True, seconds=9)
        await deliver(ingest, number, foreign)
        await deliver(ingest, number, own)
        return sent

    handset.answers.append(echo_first)
    await say(kernel, conversation, number, "race")
    await until(all_are(kernel, "sent"))

    async def the_other_is_there() -> bool:
        return bool(await kernel.db.fetch_value("SELECT count(*) = 2 FROM messages WHERE direction = 'OUTBOUND'"))

    await kernel.db.execute("UPDATE waiting_updates SET created_at = created_at - interval '1 minute'")
    await until(the_other_is_there)
    assert len(handset.arrived) == 1


@pytest.mark.usefixtures("parts")
async def test_an_abandoned_claim_becomes_unconfirmed(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    await kernel.db.execute("UPDATE service_instances SET status = 'disconnected'")
    await say(kernel, conversation, number, "was in flight when it died")
    await kernel.db.execute(
        "UPDATE messages SET status = 'sending', status_rank = 1, claimed_until = now() - interval '1 s' "
        "WHERE direction = 'OUTBOUND'"
    )
    await until(all_are(kernel, "unconfirmed"))
    assert handset.arrived == []


@pytest.mark.usefixtures("parts")
async def test_many_conversations_leave_side_by_side_each_once(
    kernel: Kernel, handset: Phone, ingest: Ingest, number: UUID
) -> None:
    handset.seconds = 0.002
    for n in range(30):
        await deliver(ingest, number, text(f"C{n}", "hi", phone(f"551190000{n:04d}")))
    rows = await kernel.db.fetch("SELECT id FROM conversations")
    await asyncio.gather(*(say(kernel, row["id"], number, f"to {row['id']}") for row in rows for _ in range(5)))
    await until(all_are(kernel, *["sent"] * 150))
    assert len(handset.arrived) == len({message.id for message in handset.arrived}) == 150
    assert handset.most_in_flight_of_one == 1


async def test_the_same_client_id_is_the_same_message(kernel: Kernel, conversation: UUID, number: UUID) -> None:
    draft = Draft(Kind.TEXT, "once", client_id="abc")
    ids = await asyncio.gather(*(enqueue(kernel, MACHINE, conversation, number, draft) for _ in range(8)))
    assert len(set(ids)) == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages WHERE direction = 'OUTBOUND'") == 1


async def test_a_rate_is_kept_between_two_dispatchers(
    settings: Settings, kernel: Kernel, ingest: Ingest, handset: Phone, number: UUID
) -> None:
    from dataclasses import replace

    handset_spec = replace(kernel.plugins.loaded[0].info.provider, messages_per_second=20.0)
    kernel.plugins.loaded[0].info = replace(kernel.plugins.loaded[0].info, provider=handset_spec)
    for n in range(25):
        await deliver(ingest, number, text(f"R{n}", "hi", phone(f"551190000{n:04d}")))
    rows = await kernel.db.fetch("SELECT id FROM conversations")
    for row in rows:
        await say(kernel, row["id"], number, "paced")
    kernel.provide(Verdicts, Verdicts(kernel))
    async with running({f"dispatcher {n}": Dispatcher(kernel).run for n in range(2)}):
        await until(all_are(kernel, *["sent"] * 25))
    assert max(handset.times) - min(handset.times) >= (25 - 2) / 20.0 - 0.1, "a burst of two, then one every 50 ms"


@pytest.mark.usefixtures("parts")
async def test_a_sent_reaction_stands_on_its_target(kernel: Kernel, conversation: UUID, number: UUID) -> None:
    await enqueue(kernel, MACHINE, conversation, number, Draft(Kind.REACTION, payload={"emoji": "👍"}, reply_to="IN1"))
    await until(all_are(kernel, "sent"))
    rows = await kernel.db.fetch(
        "SELECT m.external_id, r.emoji, r.from_company FROM message_reactions r JOIN messages m ON m.id = r.message_id"
    )
    assert [tuple(row) for row in rows] == [("IN1", "👍", True)]
    assert await kernel.db.fetch_value("SELECT last_message_preview FROM conversations") == "hello"


async def test_what_comes_in_the_same_second_is_shown_in_the_order_of_arrival(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    await say(kernel, conversation, number, "answer")
    second = kernel.now().replace(microsecond=0)
    await deliver(ingest, number, text("IN2", "thanks", at=second))
    rows = await kernel.db.fetch("SELECT text FROM messages ORDER BY at, seq")
    assert [row["text"] for row in rows] == ["hello", "answer", "thanks"]
    assert await kernel.db.fetch_value("SELECT last_message_preview FROM conversations") == "thanks"


@pytest.mark.usefixtures("parts")
async def test_a_message_put_back_into_the_queue_waits_for_the_one_in_flight(
    kernel: Kernel, handset: Phone, conversation: UUID, number: UUID
) -> None:
    handset.answers.append(Rejected("refused", "no"))
    failed = await say(kernel, conversation, number, "again")
    await until(all_are(kernel, "failed"))
    handset.seconds = 0.2
    await say(kernel, conversation, number, "in flight")
    await until(all_are(kernel, "failed", "sending"))
    await kernel.db.execute("UPDATE messages SET status = 'pending', status_rank = 0 WHERE id = $1", failed)
    kernel.signals.emit(["outbound"])
    await until(all_are(kernel, "sent", "sent"))
    assert handset.most_in_flight_of_one == 1
