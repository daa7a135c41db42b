"""Who gets what: rooms, inboxes, everybody; and rights, checked at delivery."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from elsehu.contracts.user import Role
from elsehu.ids import new_id
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import BOSSES, Note, People, write

Open = Callable[..., Awaitable[Socket]]


async def test_a_room_gets_its_conversations_events_and_no_others(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    here, elsewhere = new_id(), new_id()
    socket = await open_socket(site, people.add())
    await socket.do("conversation:join", {"conversationId": str(here)})
    await write(site.kernel, Note(elsewhere, "elsewhere"), Note(here, "here"))
    frame = await socket.next("note:new")
    assert frame["data"]["text"] == "here"
    assert set(frame) == {"event", "data", "eventId", "cursor", "at"}
    await socket.do("conversation:leave", {"conversationId": str(here)})
    await write(site.kernel, Note(here, "too late"), Note(None, "for everybody"))
    await socket.says("here", "for everybody")


async def test_who_may_not_join_is_refused(site: RunningServer, people: People, open_socket: Open) -> None:
    secret = new_id()
    await site.kernel.db.execute("INSERT INTO secret_rooms VALUES ($1)", secret)
    socket = await open_socket(site, people.add())
    answer = await socket.ask("conversation:join", {"conversationId": str(secret)})
    assert answer["error"]["code"] == "conversation_not_found"
    await write(site.kernel, Note(secret, "secret"), Note(None, "public"))
    await socket.says("public")


async def test_an_inbox_gets_what_its_user_may_see(site: RunningServer, people: People, open_socket: Open) -> None:
    boss, mine, other = people.add(Role.SUPERVISOR), people.add(), people.add()
    sockets = [await open_socket(site, one) for one in (boss, mine, other)]
    for socket in sockets:
        await socket.do("inbox:subscribe")
    await write(
        site.kernel,
        Note(new_id(), "for bosses", BOSSES),
        Note(new_id(), "for me", BOSSES, [mine.id]),
        Note(new_id(), "for all"),
    )
    await sockets[0].says("for bosses", "for me", "for all")
    await sockets[1].says("for me", "for all")
    await sockets[2].says("for all")
    await sockets[2].do("inbox:unsubscribe")
    await write(site.kernel, Note(new_id(), "again"), Note(None, "for everybody"))
    await sockets[2].says("for all", "for everybody")


async def test_without_room_and_inbox_only_what_concerns_everybody(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    socket = await open_socket(site, people.add())
    await write(site.kernel, Note(new_id(), "a conversation"), Note(None, "bosses", BOSSES), Note(None, "everybody"))
    await socket.says("everybody")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["queued", "mine", "other's", "moved"]),
        ({"status": ["queued"]}, ["queued", "moved"]),
        ({"assignedTo": "me"}, ["mine", "moved"]),
        ({"assignedTo": "none"}, ["queued", "moved"]),
        ({"assignedTo": "me", "status": ["queued", "closed"]}, ["moved"]),
        ({"serviceInstanceId": "INSTANCE"}, ["queued", "mine"]),
    ],
)
async def test_an_inbox_is_filtered_but_learns_of_what_has_moved(
    site: RunningServer, people: People, open_socket: Open, filters: dict[str, Any], expected: list[str]
) -> None:
    me, instance = people.add(), str(new_id())
    socket = await open_socket(site, me)
    wanted = {name: instance if value == "INSTANCE" else value for name, value in filters.items()}
    await socket.do("inbox:subscribe", {"filter": wanted})

    def note(text: str, status: str, owner: str, number: str) -> Note:
        return Note(new_id(), text, labels={"status": status, "assignedTo": owner, "serviceInstanceId": number})

    await write(site.kernel, note("queued", "queued", "none", instance), note("mine", "assigned", str(me.id), instance))
    await write(site.kernel, note("other's", "assigned", str(new_id()), "other"))
    await write(site.kernel, note("moved", "assigned", str(new_id()), "other"), kind="note:moved")
    await write(site.kernel, Note(None, "end"))
    await socket.says(*expected, "end")


@pytest.mark.parametrize("by", ["room", "inbox"])
async def test_who_loses_a_conversation_gets_one_farewell_and_nothing_more(
    site: RunningServer, people: People, open_socket: Open, by: str
) -> None:
    loser, winner = people.add(), people.add()
    room = new_id()
    sockets = [await open_socket(site, one) for one in (loser, winner)]
    for socket in sockets:
        if by == "room":
            await socket.do("conversation:join", {"conversationId": str(room)})
        else:
            await socket.do("inbox:subscribe")
    await write(site.kernel, Note(room, "before", (), [loser.id]))
    note = Note(room, "after", (), [winner.id])
    await write(site.kernel, note, kind="note:moved", data={"lostBy": [str(loser.id)]})
    await write(site.kernel, Note(room, "private", (), [winner.id]))
    await write(site.kernel, Note(None, "end"))
    await sockets[0].next("note:new", 2)
    assert [frame["data"] for frame in sockets[0].all("note:moved")] == [{"id": str(note.id)}]
    assert sockets[0].texts() == ["before", "", "end"]
    # In the room the winner was too early: the loser still had the conversation, so he was put out of it.
    await sockets[1].says(*(["end"] if by == "room" else ["after", "private", "end"]))


async def test_a_lost_room_must_be_joined_again(site: RunningServer, people: People, open_socket: Open) -> None:
    person, room = people.add(), new_id()
    socket = await open_socket(site, person)
    await socket.do("conversation:join", {"conversationId": str(room)})
    await write(site.kernel, Note(room, "another's", BOSSES))
    await write(site.kernel, Note(None, "marker"))
    await socket.says("marker")
    await write(site.kernel, Note(room, "mine, but not in the room", (), [person.id]), Note(None, "marker"))
    await socket.says("marker", "marker")
    await socket.do("conversation:join", {"conversationId": str(room)})
    await write(site.kernel, Note(room, "mine", (), [person.id]))
    await socket.says("marker", "marker", "mine")


async def test_events_carry_what_is_true_when_they_are_delivered(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    socket = await open_socket(site, people.add())
    note, gone = Note(None, "old"), Note(None, "gone")
    await write(site.kernel, note, gone, kind="nobody:listens")
    await site.kernel.db.execute("DELETE FROM notes WHERE id = $1", gone.id)
    await write(site.kernel, Note(None, "new", id=note.id))
    await site.kernel.db.execute("UPDATE events SET type = 'note:new', xid = DEFAULT")
    await write(site.kernel, Note(None, "end"))
    await socket.until(lambda: "end" in socket.texts())
    assert set(socket.texts()) == {"new", "end"}


async def test_an_event_that_cannot_be_rendered_blocks_no_other(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    socket = await open_socket(site, people.add())
    await write(site.kernel, Note(None, "first"), Note(None, "cannot be rendered"), Note(None, "last"))
    await socket.says("first", "last")


async def test_unknown_event_types_are_passed_over(site: RunningServer, people: People, open_socket: Open) -> None:
    socket = await open_socket(site, people.add())
    await write(site.kernel, Note(None, "unknown"), kind="campaign:new")
    await write(site.kernel, Note(None, "known"))
    await socket.says("known")


async def test_every_process_tells_its_own_sockets(
    site: RunningServer, start: Callable[[], Awaitable[RunningServer]], people: People, open_socket: Open
) -> None:
    second = await start()
    sockets = [await open_socket(server, people.add()) for server in (site, second)]
    await write(site.kernel, Note(None, "from the first"))
    for socket in sockets:
        await socket.says("from the first")
    await write(second.kernel, Note(None, "from the second"))
    for socket in sockets:
        await socket.says("from the first", "from the second")
        assert len({frame["eventId"] for frame in socket.all("note:new")}) == 2


async def test_a_socket_may_be_in_so_many_rooms(site: RunningServer, people: People, open_socket: Open) -> None:
    socket = await open_socket(site, people.add())
    cursor = socket.cursor
    for count in range(1, 6):
        answer = await socket.do("resume", {"cursor": cursor, "join": [str(new_id()) for _ in range(200)]})
        assert answer["refused"] == []
        await socket.next("resumed", count)
    one_more = await socket.ask("conversation:join", {"conversationId": str(new_id())})
    assert one_more["error"]["code"] == "too_many_rooms"
