"""Whoever was cut off gets everything that they missed: nothing skipped, whatever commits when and breaks where."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from elsehu.clock import utc_now
from elsehu.events import Change, record
from elsehu.events.cursors import Cursor, read_cursor
from elsehu.events.positions import Position
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import Note, People, Person, write

Open = Callable[..., Awaitable[Socket]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"realtime": {"queue_events": 300, "resume_max_events": 3000, "resume_hours": 1}}


class Frontend:
    """A frontend as docs/realtime.md tells to write one: keeps the newest cursor, drops what it has by event id."""

    def __init__(self, site: RunningServer, open_socket: Open, person: Person) -> None:
        self._site = site
        self._open = open_socket
        self._person = person
        self.socket: Socket | None = None
        self.known: dict[str, str] = {}
        self.cursor = ""

    async def connect(self, *, wait: bool = True) -> Socket:
        self.socket = socket = await self._open(self._site, self._person)
        if self.cursor:
            await socket.do("resume", {"cursor": self.cursor, "inbox": {}})
            if wait:
                await socket.next("resumed")
        else:
            await socket.do("inbox:subscribe")
        return socket

    def take_over(self) -> None:
        """Keep what came; cursors count from `resumed` on (at a first connection: from the beginning)."""
        assert self.socket
        may_keep = not self.cursor
        for frame in self.socket.frames:
            may_keep = may_keep or frame["event"] == "resumed"
            if "eventId" in frame:
                self.known.setdefault(frame["eventId"], frame["data"]["text"])
            if may_keep and "cursor" in frame:
                self.cursor = frame["cursor"]
        if not self.cursor:
            self.cursor = self.socket.cursor

    async def cut(self) -> None:
        assert self.socket
        await self.socket.cut()
        self.take_over()


@pytest.fixture
def frontend(site: RunningServer, people: People, open_socket: Open) -> Frontend:
    return Frontend(site, open_socket, people.add())


async def expected(kernel: Kernel) -> dict[str, str]:
    rows = await kernel.db.fetch("SELECT seq, text FROM events JOIN notes ON notes.id = subject_id")
    return {str(row["seq"]): row["text"] for row in rows}


async def write_slowly(kernel: Kernel, text: str, seconds: float) -> None:
    """Commit a note some time after its event got its number."""
    note = Note(new_id(), text)
    async with kernel.db.transaction() as uow:
        await uow.execute(
            "INSERT INTO notes VALUES ($1, $2, $3, $4, '{}', '{}')", note.id, note.room, text, list(note.roles)
        )
        await record(uow, [Change("note:new", note.id, note.room)])
        await asyncio.sleep(seconds)


async def test_a_thousand_missed_events(site: RunningServer, frontend: Frontend) -> None:
    await frontend.connect()
    await write(site.kernel, Note(new_id(), "seen"))
    assert frontend.socket
    await frontend.socket.says("seen")
    await frontend.cut()
    die = random.Random(1)
    for _ in range(10):
        writers = [write_slowly(site.kernel, f"missed {number}", die.random() / 20) for number in range(100)]
        await asyncio.gather(*writers)
    await frontend.connect()
    frontend.take_over()
    assert len(frontend.known) == 1001
    assert frontend.known == await expected(site.kernel)


async def test_what_commits_late_is_not_skipped(site: RunningServer, frontend: Frontend) -> None:
    await frontend.connect()
    late = asyncio.create_task(write_slowly(site.kernel, "late", 0.5))
    await asyncio.sleep(0.1)
    await write(site.kernel, Note(new_id(), "early"))
    assert frontend.socket
    await frontend.socket.says("early")
    await frontend.cut()
    await late
    await frontend.connect()
    frontend.take_over()
    assert list(frontend.known.values()) == ["early", "late"]


async def test_late_commits_reach_those_who_stay(site: RunningServer, frontend: Frontend) -> None:
    socket = await frontend.connect()
    die = random.Random(2)
    await asyncio.gather(*(write_slowly(site.kernel, f"note {number}", die.random()) for number in range(60)))
    await socket.until(lambda: len(socket.texts()) >= 60)
    assert sorted(socket.texts()) == sorted(f"note {number}" for number in range(60))


async def test_live_events_neither_overtake_a_replay_nor_get_lost(site: RunningServer, frontend: Frontend) -> None:
    await frontend.connect()
    await frontend.cut()
    for start in range(0, 1000, 100):
        await write(site.kernel, *(Note(new_id(), f"{number:04}") for number in range(start, start + 100)))
    writing = asyncio.create_task(keep_writing(site.kernel, range(1000, 1400)))
    socket = await frontend.connect()
    await writing
    await write(site.kernel, Note(new_id(), "end"))
    await socket.until(lambda: "end" in socket.texts())
    first_times = list(dict.fromkeys(socket.texts()))
    assert first_times == [f"{number:04}" for number in range(1400)] + ["end"]


async def keep_writing(kernel: Kernel, numbers: range) -> None:
    for number in numbers:
        await write(kernel, Note(new_id(), f"{number:04}"))


async def test_cut_again_and_again_in_the_middle_of_anything(
    site: RunningServer, frontend: Frontend, seed: int
) -> None:
    die = random.Random(seed)
    await frontend.connect()
    writers = [write_slowly_again_and_again(site.kernel, random.Random(f"{seed}/{number}")) for number in range(4)]
    writing = asyncio.gather(*writers)
    while not writing.done():
        await asyncio.sleep(die.random() * 0.2)
        await frontend.cut()
        await frontend.connect(wait=die.random() < 0.5)
    await frontend.cut()
    await frontend.connect()
    frontend.take_over()
    assert frontend.known == await expected(site.kernel)


async def write_slowly_again_and_again(kernel: Kernel, die: random.Random) -> None:
    for number in range(60):
        if die.random() < 0.5:
            await write_slowly(kernel, f"slow {number}", die.random() * 0.1)
        else:
            await write(kernel, *(Note(new_id(), f"many {number}") for _ in range(die.randrange(1, 12))))


async def test_one_transaction_larger_than_a_socket_may_lag(site: RunningServer, frontend: Frontend) -> None:
    """It is too much at once for those who listen: they are cut off, resume, and have it."""
    socket = await frontend.connect()
    await write(site.kernel, *(Note(new_id(), f"note {number}") for number in range(1200)))
    assert await socket.closed() == 4408
    frontend.take_over()
    await frontend.connect()
    frontend.take_over()
    assert frontend.known == await expected(site.kernel)


async def test_a_replay_shows_what_may_be_seen_now(site: RunningServer, people: People, open_socket: Open) -> None:
    person = people.add()
    socket = await open_socket(site, person)
    cursor = socket.cursor
    await socket.close()
    lost = Note(new_id(), "mine no more", (), [person.id])
    await write(site.kernel, lost, Note(new_id(), "mine", (), [person.id]), Note(new_id(), "another's", ()))
    await write(site.kernel, Note(lost.room, "secret", (), (), id=lost.id), kind="nobody:listens")
    socket = await open_socket(site, person)
    await socket.do("resume", {"cursor": cursor, "inbox": {}})
    await socket.next("resumed")
    assert set(socket.texts()) == {"mine"}


async def test_resuming_takes_rooms_and_inbox_along(site: RunningServer, people: People, open_socket: Open) -> None:
    person, room, secret = people.add(), new_id(), new_id()
    await site.kernel.db.execute("INSERT INTO secret_rooms VALUES ($1)", secret)
    socket = await open_socket(site, person)
    cursor = socket.cursor
    await write(site.kernel, Note(room, "in the room"), Note(secret, "in secret"), Note(new_id(), "in the inbox"))
    answer = await socket.do("resume", {"cursor": cursor, "join": [str(room), str(secret)]})
    assert answer == {"refused": [{"conversationId": str(secret), "code": "conversation_not_found"}]}
    await socket.next("resumed")
    assert set(socket.texts()) == {"in the room"}
    await socket.do("resume", {"cursor": cursor, "inbox": {"status": ["queued"]}})
    await socket.next("resumed", 2)
    assert set(socket.texts()) == {"in the room"}
    await socket.do("resume", {"cursor": cursor, "inbox": {}})
    await socket.next("resumed", 3)
    assert set(socket.texts()) == {"in secret", "in the inbox", "in the room"}


async def test_one_replay_at_a_time(site: RunningServer, people: People, open_socket: Open) -> None:
    socket = await open_socket(site, people.add())
    cursor = socket.cursor
    await write(site.kernel, *(Note(None, str(number)) for number in range(500)))
    await socket.send("resume", {"cursor": cursor}, id="one")
    await socket.send("resume", {"cursor": cursor}, id="two")
    await socket.next("resumed")
    refusal = await socket.until(lambda: socket.answer_to("two"))
    assert refusal["error"]["code"] == "resume_in_progress"
    assert (await socket.ask("resume", {"cursor": cursor}))["event"] == "ack"


def older(cursor: Cursor) -> Cursor:
    return Cursor(cursor.position, cursor.at - timedelta(hours=2), cursor.life)


def elsewhere(cursor: Cursor) -> Cursor:
    return Cursor(cursor.position, cursor.at, "00000000")


def in_the_future(cursor: Cursor) -> Cursor:
    return Cursor(Position(cursor.position.xmax + 10**6), cursor.at, cursor.life)


@pytest.mark.parametrize(
    ("change", "reason"), [(older, "too_old"), (elsewhere, "other_database"), (in_the_future, "other_database")]
)
async def test_what_cannot_be_replayed_must_be_loaded_anew(
    site: RunningServer, people: People, open_socket: Open, change: Callable[[Cursor], Cursor], reason: str
) -> None:
    socket = await open_socket(site, people.add())
    await write(site.kernel, Note(None, "seen"))
    await socket.says("seen")
    await socket.do("resume", {"cursor": change(read_cursor(socket.cursor)).encode()})
    resync = await socket.next("resync")
    assert resync["data"] == {"reason": reason}
    await write(site.kernel, Note(None, "after"))
    await socket.says("seen", "after")
    await socket.do("resume", {"cursor": resync["cursor"]})
    await socket.next("resumed")
    assert socket.texts() == ["seen", "after", "after"]


async def test_too_much_to_replay_must_be_loaded_anew(site: RunningServer, people: People, open_socket: Open) -> None:
    socket = await open_socket(site, people.add())
    cursor = socket.cursor
    await site.kernel.db.execute("INSERT INTO events (type) SELECT 'nobody:listens' FROM generate_series(1, 3001)")
    await socket.do("resume", {"cursor": cursor})
    assert (await socket.next("resync"))["data"] == {"reason": "too_many"}


class TestQuietSockets:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"realtime": {"ping_interval": 0.5, "resume_max_events": 100}}

    async def test_a_quiet_sockets_cursor_stays_young(
        self, site: RunningServer, people: People, open_socket: Open
    ) -> None:
        """However much others got meanwhile, it can resume."""
        socket = await open_socket(site, people.add())
        began = read_cursor(socket.cursor)
        await site.kernel.db.execute("INSERT INTO events (type) SELECT 'nobody:listens' FROM generate_series(1, 200)")
        newer = read_cursor((await socket.next("cursor", 2))["cursor"])
        assert newer.position.xmax > began.position.xmax
        assert utc_now() - newer.at < timedelta(seconds=5)
        await socket.do("resume", {"cursor": socket.cursor})
        await socket.next("resumed")


async def test_other_processes_cursors_are_good_here(
    site: RunningServer, start: Callable[[], Awaitable[RunningServer]], people: People, open_socket: Open
) -> None:
    second = await start()
    person = people.add()
    socket = await open_socket(site, person)
    await write(site.kernel, Note(None, "seen"))
    await socket.says("seen")
    cursor = socket.cursor
    await socket.cut()
    await write(site.kernel, Note(None, "missed"))
    socket = await open_socket(second, person)
    await socket.do("resume", {"cursor": cursor})
    await socket.next("resumed")
    assert set(socket.texts()) == {"missed"}
