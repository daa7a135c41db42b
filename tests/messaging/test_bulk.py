"""Messages in bulk are queued once each, where they belong, for those who may get them; and can be taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.errors import Invalid, NotFound
from elsehu.contracts.message import Kind
from elsehu.db import Row
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.merging import merge
from elsehu.messaging.outbound.bulk import BulkMessage, withdraw
from elsehu.messaging.outbound.drafts import Draft
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

from .conftest import deliver, phone, text
from .crowd import bulk, crowd, lane, queue_bulk
from .phones import Phone, found


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["phone", "storage_local"]}}


@pytest.fixture
def plugins(settings: Settings) -> Plugins:
    return load_plugins(settings, found(Phone()))


@pytest.fixture
async def number(kernel: Kernel, number: UUID) -> UUID:
    await kernel.db.execute("UPDATE service_instances SET provider = 'phone'")
    return number


@pytest.fixture
async def lane_id(kernel: Kernel, number: UUID) -> AsyncIterator[UUID]:
    yield await lane(kernel, number)


async def rows(kernel: Kernel, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await kernel.db.fetch(sql, *arguments)]


async def conversation(kernel: Kernel, contact_id: UUID) -> Row:
    row = await kernel.db.fetch_row("SELECT * FROM conversations WHERE contact_id = $1", contact_id)
    assert row is not None
    return row


EVENTS = "SELECT type, subject_id FROM events ORDER BY seq"


async def test_it_opens_conversations_that_are_dormant_and_told_to_nobody(kernel: Kernel, lane_id: UUID) -> None:
    contacts = await crowd(kernel, 3)
    assert await queue_bulk(kernel, lane_id, bulk(contacts)) == {}
    found_rows = await rows(
        kernel,
        "SELECT v.status, v.contact_id, v.last_message_preview, m.status, m.lane, m.lane_id, m.text "
        "FROM messages m JOIN conversations v ON v.id = m.conversation_id ORDER BY m.seq",
    )
    assert found_rows == [("dormant", one, "Big sale!", "pending", 1, lane_id, "Big sale!") for one in contacts]
    assert await rows(kernel, EVENTS) == []


async def test_an_open_conversation_is_told_and_keeps_its_place(
    kernel: Kernel, ingest: Ingest, number: UUID, lane_id: UUID
) -> None:
    await deliver(ingest, number, text("IN1", "hello", at=kernel.now() - timedelta(minutes=1)))
    contact_id = await kernel.db.fetch_value("SELECT id FROM contacts")
    before = await conversation(kernel, contact_id)
    await kernel.db.execute("DELETE FROM events")
    [message] = bulk([contact_id])
    await queue_bulk(kernel, lane_id, [message])
    after = await conversation(kernel, contact_id)
    assert (after["status"], after["last_activity_at"]) == ("queued", before["last_activity_at"])
    assert after["last_message_preview"] == "Big sale!"
    assert ("message:new", message.id) in await rows(kernel, EVENTS)


async def test_refusals_say_why(kernel: Kernel, number: UUID, lane_id: UUID) -> None:
    wanted = ["", "opted_out", "unreachable", "contact_gone", "no_address"]
    contacts = await crowd(kernel, 5)
    for column, contact_id in zip(("opted_out_at", "unreachable_at", "archived_at"), contacts[1:4], strict=True):
        await kernel.db.execute(f"UPDATE contacts SET {column} = now() WHERE id = $1", contact_id)
    await kernel.db.execute("DELETE FROM contact_identities WHERE contact_id = $1", contacts[4])
    messages = bulk([*contacts, new_id()])
    refused = await queue_bulk(kernel, lane_id, messages)
    assert [refused.get(message.id, "") for message in messages] == [*wanted, "contact_gone"]
    assert await queue_bulk(kernel, lane_id, messages[:1]) == {messages[0].id: "already_queued"}
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == 1
    with pytest.raises(NotFound):
        await queue_bulk(kernel, number, messages)


async def test_a_file_that_is_gone_costs_only_its_messages(kernel: Kernel, lane_id: UUID) -> None:
    first, second = bulk(await crowd(kernel, 2))
    first = replace(first, draft=replace(first.draft, kind=Kind.IMAGE, media_id=new_id()))
    assert await queue_bulk(kernel, lane_id, [first, second]) == {first.id: "media_gone"}
    assert await rows(kernel, "SELECT id FROM messages") == [(second.id,)]


async def test_more_than_a_thousand_at_once_are_refused(kernel: Kernel, lane_id: UUID) -> None:
    with pytest.raises(Invalid) as refused:
        await queue_bulk(kernel, lane_id, bulk([new_id()]) * 1001)
    assert refused.value.code == "too_many"


async def test_a_closed_window_lets_templates_through(kernel: Kernel, number: UUID, lane_id: UUID) -> None:
    plugin = kernel.plugins.loaded[0]
    assert plugin.info.provider is not None
    plugin.info = replace(plugin.info, provider=replace(plugin.info.provider, window_hours=24.0))
    contacts = await crowd(kernel, 3)
    open_one = contacts[0]
    await queue_bulk(kernel, lane_id, [BulkMessage(new_id(), one, Draft(Kind.TEMPLATE)) for one in contacts])
    await kernel.db.execute("UPDATE conversations SET window_expires_at = now() - interval '1 s'")
    await kernel.db.execute(
        "UPDATE conversations SET window_expires_at = $2, status = 'closed' WHERE contact_id = $1",
        open_one,
        kernel.now() + timedelta(hours=1),
    )
    messages = bulk(contacts)
    refused = await queue_bulk(kernel, lane_id, messages)
    assert refused == {messages[1].id: "window_closed", messages[2].id: "window_closed"}
    windows = "SELECT window_expires_at > now() FROM conversations WHERE contact_id = $1 AND status = 'dormant'"
    assert await kernel.db.fetch_value(windows, open_one), "the window stays open over a closing"


async def test_a_merged_contact_is_followed(kernel: Kernel, lane_id: UUID) -> None:
    kept, lost, third = contacts = await crowd(kernel, 3)
    for pair in ((kept, lost), (third, kept)):
        async with kernel.db.transaction() as uow:
            await merge(uow, pair)
    assert await queue_bulk(kernel, lane_id, bulk(contacts)) == {}
    assert await rows(kernel, "SELECT contact_id FROM conversations") == [(third,)]
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 3


async def test_the_same_messages_at_once_are_queued_once(kernel: Kernel, lane_id: UUID) -> None:
    messages = bulk(await crowd(kernel, 50))
    refused = await asyncio.gather(
        *(queue_bulk(kernel, lane_id, order) for order in (messages, messages[::-1], messages[10:]))
    )
    assert sum(len(one) for one in refused) == 50 + 40
    assert await kernel.db.fetch_value("SELECT count(*) FROM messages") == 50


async def test_customers_who_write_meanwhile_have_one_open_conversation_and_nobody_deadlocks(
    kernel: Kernel, ingest: Ingest, number: UUID, lane_id: UUID
) -> None:
    contacts = await crowd(kernel, 40)

    async def writing(turn: int) -> None:
        order = range(40) if turn % 2 else range(39, -1, -1)
        events = [text(f"IN{turn}-{n}", "me again", phone(f"55119{n:08d}")) for n in order]
        await deliver(ingest, number, *events)

    async def selling(turn: int) -> None:
        assert await queue_bulk(kernel, lane_id, bulk(contacts[:: 1 if turn % 2 else -1])) == {}

    await asyncio.gather(*(work(turn) for turn in range(4) for work in (writing, selling)))
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == 40
    counted = "SELECT count(*) FROM messages GROUP BY conversation_id"
    assert await rows(kernel, counted) == [(8,)] * 40
    assert await kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0
    assert await kernel.db.fetch_value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_what_is_pending_is_withdrawn_once_and_what_is_claimed_is_not(
    kernel: Kernel, ingest: Ingest, number: UUID, lane_id: UUID
) -> None:
    await deliver(ingest, number, text("IN1", "hello", phone("5511900000000")))
    contacts = [await kernel.db.fetch_value("SELECT id FROM contacts")]
    await kernel.db.execute("UPDATE contact_identities SET value = value || '9'")
    contacts += await crowd(kernel, 3)
    messages = bulk(contacts)
    await queue_bulk(kernel, lane_id, messages)
    claimed = messages[3].id
    await kernel.db.execute("UPDATE messages SET status = 'sending', status_rank = 1 WHERE id = $1", claimed)
    await kernel.db.execute("DELETE FROM events")
    async with kernel.db.transaction() as claiming, kernel.db.transaction() as uow:
        await claiming.execute("SELECT 1 FROM messages WHERE id = $1 FOR UPDATE", messages[2].id)
        assert set(await withdraw(uow, lane_id)) == {messages[0].id, messages[1].id}
    assert ("message:withdrawn", messages[0].id) in await rows(kernel, EVENTS)
    assert ("message:withdrawn", messages[1].id) not in await rows(kernel, EVENTS), "nobody was told of that one"
    previews = "SELECT contact_id, last_message_preview FROM conversations"
    shown = {contacts[0]: "hello", contacts[2]: "Big sale!", contacts[3]: "Big sale!"}
    assert dict(await rows(kernel, previews)) == shown, "what was opened for a message that is withdrawn goes with it"
    async with kernel.db.transaction() as uow:
        assert await withdraw(uow, lane_id, [messages[0].id, claimed]) == []
        assert await withdraw(uow, lane_id) == [messages[2].id]
        assert await withdraw(uow, lane_id) == []
    assert await rows(kernel, "SELECT id FROM messages WHERE lane = 1") == [(claimed,)]
    assert set(await queue_bulk(kernel, lane_id, messages)) == {claimed}, "what was withdrawn can be queued anew"
