"""What left through the provider's API and comes back as an echo is ours exactly where it is ours."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.background import running
from elsehu.contracts.inbound import MediaContent, MessageArrived, StatusChanged
from elsehu.contracts.message import Direction, Kind, Status
from elsehu.contracts.outbound import Sent
from elsehu.contracts.user import Caller, Role
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.history import History
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.outbound import results
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.judging import judge_sent
from elsehu.messaging.outbound.results import Result
from elsehu.messaging.outbound.sending import enqueue
from elsehu.messaging.outbound.settling import Settler

from .conftest import deliver, text

MACHINE = Caller(Role.ADMIN, None, "a test")
PICTURE = MediaContent("image/png", "a.png", reference={"id": "42"})


def echo(external_id: str, words: str | None, at: datetime, **more: Any) -> MessageArrived:
    return text(external_id, words or "", direction=Direction.OUTBOUND, through_api=True, at=at, **more)


@pytest.fixture
async def sending(kernel: Kernel, ingest: Ingest, number: UUID) -> UUID:
    """A message of ours that is on its way: nobody knows yet what came of it."""
    await deliver(ingest, number, text("IN1", "hello"))
    conversation_id = await kernel.db.fetch_value("SELECT id FROM conversations")
    message_id = await enqueue(kernel, MACHINE, conversation_id, number, Draft(Kind.TEXT, "good morning"))
    await kernel.db.execute(
        "UPDATE messages SET status = 'sending', status_rank = 1, attempts = 1, claimed_until = $2 WHERE id = $1",
        message_id,
        kernel.now() + timedelta(seconds=60),
    )
    await kernel.db.execute("DELETE FROM events")
    return message_id


@pytest.fixture
async def settler(kernel: Kernel, ingest: Ingest) -> AsyncIterator[None]:
    kernel.provide(History, History(kernel, ingest))
    async with running({"settler": Settler(kernel).run}):
        yield


async def answered(kernel: Kernel, number: UUID, message_id: UUID, external_id: str) -> None:
    """Record that the provider took the message."""
    until = kernel.now()
    async with kernel.db.transaction() as uow:
        result = Result(message_id, number, until, judge_sent(Sent(external_id)))
        await results.record(uow, [result], kernel.now())


async def outbound(kernel: Kernel) -> list[tuple[Any, ...]]:
    rows = await kernel.db.fetch(
        "SELECT external_id, status FROM messages WHERE direction = 'OUTBOUND' ORDER BY external_id"
    )
    return [tuple(row) for row in rows]


async def have_waited(kernel: Kernel) -> None:
    """Let a minute pass for the echoes that wait, and what is done with them be done."""
    await kernel.db.execute("UPDATE waiting_updates SET created_at = created_at - interval '1 minute'")
    async with asyncio.timeout(10):
        while await kernel.db.fetch_value(
            "SELECT EXISTS (SELECT 1 FROM waiting_updates WHERE created_at < now() - interval '30 s')"
        ):
            await asyncio.sleep(0.02)


async def test_what_left_before_ours_was_written_is_not_ours(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    await kernel.db.execute("UPDATE messages SET status = 'unconfirmed', status_rank = 2 WHERE id = $1", sending)
    earlier = echo("EARLIER", "good morning", kernel.now() - timedelta(minutes=30), is_history=True)
    await deliver(ingest, number, earlier)
    assert await outbound(kernel) == [("EARLIER", "sent"), (None, "unconfirmed")]
    await deliver(ingest, number, echo("OURS", "good morning", kernel.now().replace(microsecond=0)))
    assert await outbound(kernel) == [("EARLIER", "sent"), ("OURS", "sent")]


async def test_ours_is_found_though_the_customer_has_another_conversation_by_now(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    await kernel.db.execute("UPDATE messages SET status = 'unconfirmed', status_rank = 2 WHERE id = $1", sending)
    await kernel.db.execute("UPDATE conversations SET status = 'closed', closed_at = now()")
    await deliver(ingest, number, text("IN2", "hello again", seconds=9))
    ours, foreign = (echo(name, "good morning", kernel.now()) for name in ("OURS", "SECOND"))
    await deliver(ingest, number, ours, foreign)
    assert await outbound(kernel) == [("OURS", "sent"), ("SECOND", "sent")]
    assert await kernel.db.fetch_value("SELECT external_id FROM messages WHERE id = $1", sending) == "OURS"


@pytest.mark.usefixtures("settler")
async def test_a_picture_that_waited_keeps_its_file(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    await deliver(ingest, number, echo("FOREIGN", None, kernel.now(), kind=Kind.IMAGE, media=PICTURE))
    assert await kernel.db.fetch_value("SELECT count(*) FROM waiting_updates") == 1
    await answered(kernel, number, sending, "OURS")
    await have_waited(kernel)
    row = await kernel.db.fetch_row(
        "SELECT f.state, f.reference FROM messages m JOIN media_files f ON f.id = m.media_id"
    )
    assert row is not None and row["state"] == "pending" and "42" in row["reference"]
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 1


@pytest.mark.usefixtures("settler")
async def test_an_echo_waits_as_long_as_the_provider_takes(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    """The provider changed the text, so that only its answer can tell whose echo it is."""
    await deliver(ingest, number, echo("OURS", "*good morning*", kernel.now()))
    await have_waited(kernel)
    assert await outbound(kernel) == [(None, "sending")]
    await answered(kernel, number, sending, "OURS")
    assert await outbound(kernel) == [("OURS", "sent")]
    assert await kernel.db.fetch_value("SELECT count(*) FROM waiting_updates") == 0


async def test_what_the_echos_own_message_had_come_to_is_kept(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    """The provider changed the text, so that the echo became a message beside ours, until the answer came."""
    await kernel.db.execute("UPDATE messages SET status = 'pending', status_rank = 0 WHERE id = $1", sending)
    await deliver(ingest, number, echo("OURS", "*good morning*", kernel.now()))
    await kernel.db.execute("UPDATE messages SET status = 'sending', status_rank = 1 WHERE id = $1", sending)
    await deliver(ingest, number, StatusChanged("OURS", Status.READ, kernel.now()))
    await answered(kernel, number, sending, "OURS")
    rows = await kernel.db.fetch(
        "SELECT id, status, read_at IS NOT NULL AS has_time FROM messages WHERE direction = 'OUTBOUND'"
    )
    assert [tuple(row) for row in rows] == [(sending, "read", True)]


async def test_of_two_alike_the_answer_says_which_is_which(
    kernel: Kernel, ingest: Ingest, number: UUID, sending: UUID
) -> None:
    await kernel.db.execute("UPDATE messages SET status = 'unconfirmed', status_rank = 2 WHERE id = $1", sending)
    await deliver(ingest, number, echo("SECOND", "good morning", kernel.now()))
    conversation_id = await kernel.db.fetch_value("SELECT id FROM conversations")
    second = await enqueue(kernel, MACHINE, conversation_id, number, Draft(Kind.TEXT, "good morning"))
    await kernel.db.execute("DELETE FROM events")
    await answered(kernel, number, second, "SECOND")
    assert await outbound(kernel) == [("SECOND", "sent"), (None, "unconfirmed")]
    told = await kernel.db.fetch("SELECT subject_id FROM events WHERE type = 'message:updated'")
    assert {row["subject_id"] for row in told} == {sending, second}
