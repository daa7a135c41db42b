"""Which conversation a message belongs to, however late it comes."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from elsehu.contracts.inbound import InstanceChanged
from elsehu.contracts.instance import InstanceStatus
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import deliver, text

CLOSE = "UPDATE conversations SET status = 'closed', closed_at = clock_timestamp() WHERE status <> 'closed'"


@pytest.fixture
async def closed(kernel: Kernel, ingest: Ingest, number: UUID) -> Sequence[UUID]:
    """Two closed conversations of one customer, the older first."""
    await deliver(ingest, number, text("A1", "first", seconds=0), text("A2", "thanks", seconds=60))
    await kernel.db.execute(CLOSE)
    await deliver(ingest, number, text("B1", "again", seconds=3600), text("B2", "bye", seconds=3660))
    await kernel.db.execute(CLOSE)
    return [row["id"] for row in await kernel.db.fetch("SELECT id FROM conversations ORDER BY opened_at")]


@pytest.mark.parametrize(("seconds", "place"), [(30, 0), (3630, 1)])
async def test_a_late_message_belongs_where_people_were_talking_then(
    kernel: Kernel, ingest: Ingest, number: UUID, closed: Sequence[UUID], seconds: int, place: int
) -> None:
    await deliver(ingest, number, text("LATE", "late", seconds=seconds))
    found = await kernel.db.fetch_value("SELECT conversation_id FROM messages WHERE external_id = 'LATE'")
    assert found == closed[place]


async def test_what_comes_again_after_the_closing_opens_nothing(
    kernel: Kernel, ingest: Ingest, number: UUID, closed: Sequence[UUID]
) -> None:
    again = [text("A2", "thanks", seconds=60), text("B1", "again", seconds=3600), text("B2", "bye", seconds=3660)]
    await deliver(ingest, number, again[-1])
    await deliver(ingest, number, *again)
    assert [row["id"] for row in await kernel.db.fetch("SELECT id FROM conversations ORDER BY id")] == sorted(closed)


async def test_what_comes_again_beside_something_new_opens_once(
    kernel: Kernel, ingest: Ingest, number: UUID, closed: Sequence[UUID]
) -> None:
    vote = text("V1", "a vote", seconds=3700, opens=False)
    await deliver(ingest, number, text("B2", "bye", seconds=3660), vote)
    sql = "SELECT conversation_id FROM messages WHERE external_id = $1"
    assert await kernel.db.fetch_value(sql, "V1") == closed[1], "by itself it opens nothing"
    await deliver(ingest, number, text("B2", "bye", seconds=3660), text("C1", "hello", seconds=7200))
    [opened] = await kernel.db.fetch("SELECT id, opened_at FROM conversations WHERE status = 'queued'")
    assert await kernel.db.fetch_value(sql, "C1") == opened["id"]
    assert opened["opened_at"] == text("C1", "hello", seconds=7200).at


async def test_a_number_that_connects_again_is_heard_though_another_process_heard_that_it_was_lost(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    await deliver(ingest, number, InstanceChanged(InstanceStatus.CONNECTED))
    await kernel.db.execute("UPDATE service_instances SET status = 'disconnected'")
    kernel.part(Directory).drop()
    await deliver(ingest, number, InstanceChanged(InstanceStatus.CONNECTED))
    assert await kernel.db.fetch_value("SELECT status FROM service_instances") == "connected"
