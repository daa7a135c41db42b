"""What was missed, read from the server's own store (reference, section 5)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from elsehu_evolution.config import Config
from elsehu_evolution.history import SPAN, history
from elsehu_evolution.testing import Customer
from hypothesis import given
from hypothesis import strategies as st

from elsehu.plugin import (
    Answer,
    Direction,
    Event,
    Item,
    Kind,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    PluginContext,
    ReactionChanged,
    Retryable,
    Status,
    StatusChanged,
)

from .conftest import CAPTURES, ID, World, make_instance

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GROUP = "120363000000000001@g.us"


@pytest.fixture
def maria(world: World) -> Customer:
    return world.standin.customer(phone="5511988887777", lid="123456789012345", instance="wa")


def at(minutes: float) -> float:
    """Return the epoch seconds so many minutes after START."""
    return (START + timedelta(minutes=minutes)).timestamp()


async def pages(
    world: World, minutes: float = 60, *, context: PluginContext | None = None, **settings: Any
) -> list[Sequence[Item]]:
    """Return what happened in the first so many minutes, page by page."""
    instance = world.instance(settings=settings)
    until = START + timedelta(minutes=minutes)
    return [page async for page in history(context or world.context, instance, START, until)]


async def events(world: World, minutes: float = 60, **settings: Any) -> list[Event]:
    """Return what happened in the first so many minutes."""
    return [item.event for page in await pages(world, minutes, **settings) for item in page]


def texts(found: Sequence[Event]) -> list[str | None]:
    """Return the texts of messages."""
    return [event.text for event in found if isinstance(event, MessageArrived)]


async def test_messages_come_oldest_first_and_only_those_of_the_window(world: World, maria: Customer) -> None:
    for minute in (50, -5, 10, 30, 65):
        maria.says(f"minute {minute}", at=at(minute))
    found = await events(world)
    assert texts(found) == ["minute 10", "minute 30", "minute 50"]
    for event in found:
        assert isinstance(event, MessageArrived)
        assert event.is_history
        assert event.opens
        assert event.direction is Direction.INBOUND
        assert [one.address for one in event.sender] == ["5511988887777@s.whatsapp.net", "123456789012345@lid"]


async def test_both_bounds_are_given_as_iso_times(world: World, maria: Customer) -> None:
    await pages(world, minutes=10)
    assert world.requests("/chat/findMessages/wa") == [
        {
            "where": {"messageTimestamp": {"gte": "2026-11-23T12:00:00.000Z", "lte": "2026-11-23T12:10:00.000Z"}},
            "page": 1,
            "offset": 100,
        }
    ]


async def test_all_pages_are_turned(world: World, maria: Customer) -> None:
    for number in range(25):
        maria.says(str(number), at=at(number))
    found = await pages(world, context=world.configured(history_page=10))
    assert texts([item.event for page in found for item in page]) == [str(number) for number in range(25)]
    assert [body["page"] for body in world.requests("/chat/findMessages")] == [1, 2, 3]
    assert {body["where"]["messageTimestamp"]["lte"] for body in world.requests("/chat/findMessages")} == {
        "2026-11-23T13:00:00.000Z"
    }


async def test_long_times_are_read_in_spans(world: World, maria: Customer) -> None:
    days = timedelta(days=2)
    for hour in range(0, 48, 5):
        maria.says(str(hour), at=at(hour * 60))
    found = await pages(world, minutes=days.total_seconds() / 60)
    assert texts([item.event for page in found for item in page]) == [str(hour) for hour in range(0, 48, 5)]
    assert len(found) == days / SPAN
    assert len(world.requests("/chat/findMessages")) == days / SPAN


async def test_a_message_on_the_edge_of_two_spans_comes_once(world: World, maria: Customer) -> None:
    edge = SPAN.total_seconds() / 60
    maria.says("edge", at=at(edge))
    assert texts(await events(world, minutes=2 * edge)) == ["edge"]


async def test_a_message_that_was_redelivered_comes_once(world: World, maria: Customer) -> None:
    message_id = maria.says("duplicada", at=at(1))
    world.standin.call("redeliver", instance="wa", message_id=message_id)
    assert world.standin.state("wa")["stored"] == 2
    assert texts(await events(world)) == ["duplicada"]


async def test_chats_stored_under_a_lid_are_found(world: World) -> None:
    by_lid = world.standin.customer(phone="5511988887777", lid="123456789012345", addressing="lid", instance="wa")
    by_lid.says("via LID", at=at(1))
    (event,) = await events(world)
    assert isinstance(event, MessageArrived)
    assert [one.address for one in event.sender] == ["5511988887777@s.whatsapp.net", "123456789012345@lid"]


async def test_own_messages_bring_their_status(world: World, maria: Customer) -> None:
    message_id = world.standin.owner("wa").says("do celular", to=maria, at=at(1))
    for status in ("SERVER_ACK", "READ", "DELIVERY_ACK", "READ"):
        world.standin.receipt(message_id, status, "wa")
    message, change = await events(world)
    assert isinstance(message, MessageArrived)
    assert (message.direction, message.status, message.through_api) == (Direction.OUTBOUND, Status.SENT, False)
    assert change == StatusChanged(message_id, Status.READ)


FOLDED: list[tuple[list[str], Status | None]] = [
    (["SERVER_ACK", "DELIVERY_ACK", "READ"], Status.READ),
    (["READ", "SERVER_ACK"], Status.READ),
    (["SERVER_ACK", "ERROR"], Status.FAILED),
    (["ERROR", "DELIVERY_ACK"], Status.DELIVERED),
    (["PLAYED", "READ"], Status.PLAYED),
    (["PENDING"], None),
    ([], None),
]


@pytest.mark.parametrize(("words", "status"), FOLDED)
async def test_statuses_are_folded_by_rank(
    world: World, maria: Customer, words: list[str], status: Status | None
) -> None:
    message_id = world.standin.owner("wa").says("x", to=maria, at=at(1))
    for word in words:
        world.standin.receipt(message_id, word, "wa")
    changes = [event for event in await events(world) if isinstance(event, StatusChanged)]
    assert [change.status for change in changes] == ([status] if status else [])


async def test_what_our_phone_read_is_told_and_nothing_else_of_customers_messages(
    world: World, maria: Customer
) -> None:
    read, unread = maria.says("lida", at=at(1)), maria.says("não lida", at=at(2))
    world.standin.owner("wa").reads(read)
    world.standin.receipt(unread, "DELIVERY_ACK", "wa")
    assert [event for event in await events(world) if isinstance(event, StatusChanged)] == [
        StatusChanged(read, Status.READ)
    ]


async def test_an_edit_comes_with_its_last_text(world: World, maria: Customer) -> None:
    message_id = maria.says("original", at=at(1))
    maria.edits(message_id, "corrigida")
    now = datetime.now(UTC)
    instance = world.instance()
    found = [
        item.event
        async for page in history(world.context, instance, now - timedelta(minutes=5), now + timedelta(minutes=5))
        for item in page
    ]
    message, edit = found
    assert isinstance(message, MessageArrived)
    assert isinstance(edit, MessageEdited)
    assert (message.text, edit.text, edit.at) == ("corrigida", "corrigida", message.at)


async def test_a_deletion_is_told(world: World, maria: Customer) -> None:
    message_id = maria.says("apague", at=at(1))
    maria.deletes(message_id)
    assert [event for event in await events(world) if isinstance(event, MessageDeleted)] == [MessageDeleted(message_id)]


async def test_reactions_are_rows_too(world: World, maria: Customer) -> None:
    message_id = maria.says("x", at=at(1))
    maria.reacts(message_id, "👍", at=at(2))
    _, reaction = await events(world)
    assert isinstance(reaction, ReactionChanged)
    assert (reaction.external_id, reaction.emoji) == (message_id, "👍")


async def test_files_are_referred_to(world: World, maria: Customer) -> None:
    message_id = maria.sends_image(caption="foto", at=at(1))
    (item,) = (await pages(world))[0]
    event = item.event
    assert isinstance(event, MessageArrived)
    assert event.media
    assert event.media.data is None
    assert event.media.reference == {"key": {"id": message_id}}
    assert event.media.sha256
    kept = orjson.dumps(item.raw)
    for secret in (b"mediaKey", b"jpegThumbnail", b"directPath"):
        assert secret not in kept


async def test_groups_only_if_they_are_switched_on(world: World, maria: Customer) -> None:
    world.standin.call("add_group", jid=GROUP, subject="Equipe", participants=[])
    message_id = maria.says("no grupo", group=GROUP, at=at(1))
    maria.deletes(message_id)
    assert await events(world) == []
    found = await events(world, groups=True)
    assert [type(event) for event in found] == [MessageArrived, MessageDeleted]


async def test_nothing_happened(world: World) -> None:
    assert await pages(world) == []


async def test_a_server_that_is_down(world: World) -> None:
    world.standin.stop()
    with pytest.raises(Retryable):
        await pages(world)


async def test_a_row_that_cannot_be_read_costs_no_other(world: World, maria: Customer) -> None:
    maria.says("primeira", at=at(1))
    maria.sends_raw("locationMessage", {"locationMessage": {}}, at=at(2))
    maria.says("terceira", at=at(3))
    assert texts(await events(world)) == ["primeira", "terceira"]
    assert [event for event, _ in world.logged] == ["history_row_unreadable"]


def answering(*bodies: Any) -> PluginContext:
    """Return the context of a store that answers `bodies`, then nothing more."""

    left = list(bodies)

    class Store:
        async def request(self, *_: Any, **__: Any) -> Answer:
            return Answer(200, {}, orjson.dumps(left.pop(0) if left else {"messages": {"records": []}}))

    http: Any = Store()
    return PluginContext(Config(), http, lambda: START, lambda *_, **__: None, Path())


CAPTURED = sorted((CAPTURES / "api").glob("findMessages-*.json"))


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
async def test_captured_rows(path: Path) -> None:
    """Every captured page reads, each of its messages comes once, and in order."""
    response = orjson.loads(path.read_bytes())["response"]
    if response["status"] != 200:
        return
    response["body"]["messages"]["pages"] = 1
    context = answering(response["body"])
    found = [item async for page in history(context, make_instance(), START, START) for item in page]
    messages = [item.event for item in found if isinstance(item.event, MessageArrived)]
    ids = [row["key"]["id"] for row in response["body"]["messages"]["records"]]
    assert len({one.external_id for one in messages}) == len(messages) <= len(set(ids))
    assert [one.at for one in messages] == sorted(one.at for one in messages)
    assert {item.instance_id for item in found} <= {ID}
    assert all(one.kind in Kind for one in messages)


async def test_messages_of_one_second_keep_their_order() -> None:
    """Row ids grow with time, and the store gives rows of one second in any order."""
    rows = [
        {
            "id": f"cmwtcl{number}",
            "key": {"id": f"AC{number}", "remoteJid": "5511988887777@s.whatsapp.net"},
            "message": {"conversation": str(number)},
            "messageTimestamp": 1795443300,
        }
        for number in (3, 1, 4, 0, 2)
    ]
    context = answering({"messages": {"pages": 1, "records": rows}})
    found = [item.event async for page in history(context, make_instance(), START, START) for item in page]
    assert texts(found) == ["0", "1", "2", "3", "4"]


async def test_a_message_that_its_author_deleted_is_only_a_key() -> None:
    """The captured row of the message that was revoked: no content is left, and its updates say `EDITED`."""
    rows = orjson.loads((CAPTURES / "api" / "findMessages-no-filter.json").read_bytes())["response"]["body"]
    revoked = [row for row in rows["messages"]["records"] if row["key"]["id"] == "ACFDAFD567768E72D73F3DBBB1F2980D"]
    assert [row["message"] for row in revoked] == [None]
    context = answering({"messages": {"pages": 1, "records": revoked}})
    found = [item.event async for page in history(context, make_instance(), START, START) for item in page]
    assert found == [MessageDeleted("ACFDAFD567768E72D73F3DBBB1F2980D")]


rubbish = st.recursive(
    st.none() | st.integers(-5, 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "records", "key", "id", "message", "pages", "MessageUpdate"]), inner
        )
    ),
    max_leaves=10,
)


@given(body=rubbish)
async def test_whatever_the_server_answers(body: Any) -> None:
    context = answering(body, body, body)
    assert [page async for page in history(context, make_instance(), START, START)] == []
