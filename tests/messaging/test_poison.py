"""What no database takes is put aside: it neither stops the messages beside it nor is it sent for ever."""

import asyncio
from uuid import UUID

import pytest

from elsehu.contracts.inbound import Normalized
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import deliver, text

HALF_A_CHARACTER = "half a character: \ud83d"


@pytest.mark.parametrize("words", [HALF_A_CHARACTER, "a NUL: \0"], ids=["half a character", "NUL"])
async def test_a_text_that_cannot_be_written_becomes_a_dead_letter(
    kernel: Kernel, ingest: Ingest, number: UUID, words: str
) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(
            deliver(ingest, number, text("P1", words), text("G1", "good")),
            deliver(ingest, number, text("N1", "a neighbour")),
        )
    rows = await kernel.db.fetch("SELECT external_id FROM messages ORDER BY 1")
    assert [row["external_id"] for row in rows] == ["G1", "N1"]
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("name", ["a\0b", HALF_A_CHARACTER], ids=["NUL", "half a character"])
async def test_an_event_name_that_cannot_be_written_stops_nothing(
    kernel: Kernel, ingest: Ingest, number: UUID, name: str
) -> None:
    async with asyncio.timeout(10):
        await ingest.submit("sandbox", Normalized(raw={"event": "odd"}, event_name=name), number)
        await deliver(ingest, number, text("G1", "good"))
    assert await kernel.db.fetch_value("SELECT count(*) FROM webhook_events") == 2
