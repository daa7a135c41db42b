"""What no database takes is mended, else put aside: it neither stops the messages beside it nor is it sent for ever."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from elsehu.contracts.inbound import MessageDeleted, Normalized
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import deliver, text

HALF_A_CHARACTER = "half a character: \ud83d"


@pytest.mark.parametrize("words", [HALF_A_CHARACTER, "a NUL: \0"], ids=["half a character", "NUL"])
async def test_a_text_that_cannot_be_written_is_mended(
    kernel: Kernel, ingest: Ingest, number: UUID, words: str
) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(
            deliver(ingest, number, text("P1", words), text("G1", "good")),
            deliver(ingest, number, text("N1", "a neighbour")),
        )
    rows = await kernel.db.fetch("SELECT external_id, text FROM messages ORDER BY 1")
    assert [row["external_id"] for row in rows] == ["G1", "N1", "P1"]
    assert rows[2]["text"][:-1] == words[:-1]
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0


async def test_an_id_that_is_too_long_is_shortened_the_same_way_each_time(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    long, other = "x" * 3000 + "1", "x" * 3000 + "2"
    for external_id in (long, other, long):
        await deliver(ingest, number, text(external_id, external_id[-1]))
    await deliver(ingest, number, MessageDeleted(long))
    rows = await kernel.db.fetch("SELECT text, deleted_at IS NOT NULL AS is_gone FROM messages ORDER BY text")
    assert [tuple(row) for row in rows] == [("1", True), ("2", False)]


async def test_what_cannot_be_mended_becomes_a_dead_letter(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, replace(text("P1", "of nobody"), sender=None), text("G1", "good"))
    rows = await kernel.db.fetch("SELECT external_id FROM messages")
    assert [row["external_id"] for row in rows] == ["G1"]
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("name", ["a\0b", HALF_A_CHARACTER], ids=["NUL", "half a character"])
async def test_an_event_name_that_cannot_be_written_stops_nothing(
    kernel: Kernel, ingest: Ingest, number: UUID, name: str
) -> None:
    async with asyncio.timeout(10):
        await ingest.submit("sandbox", Normalized(raw={"event": "odd"}, event_name=name), number)
        await deliver(ingest, number, text("G1", "good"))
    assert await kernel.db.fetch_value("SELECT count(*) FROM webhook_events") == 2
