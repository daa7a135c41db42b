"""Who is there: whoever has a socket open anywhere, as they want to be seen; never a ghost for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from elsehu.contracts.user import Caller, Role
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.realtime import presence
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import People, Person

Open = Callable[..., Awaitable[Socket]]
Start = Callable[[], Awaitable[RunningServer]]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LINGERING_SECONDS", 0.5)
    monkeypatch.setattr(presence, "RENEWED_SECONDS", 0.5)
    monkeypatch.setattr(presence, "TICK_SECONDS", 0.02)


@pytest.fixture
async def watcher(site: RunningServer, people: People, open_socket: Open) -> Socket:
    """Somebody who was there before."""
    person = people.add()
    socket = await open_socket(site, person)
    await socket.until(lambda: told(socket, person))
    return socket


def told(socket: Socket, person: Person) -> list[str]:
    """What a socket was told of somebody's presence, in order."""
    frames = socket.all("operator:status")
    return [frame["data"]["status"] for frame in frames if frame["data"]["userId"] == str(person.id)]


async def kept(kernel: Kernel, person: Person) -> str | None:
    """What others read in Redis."""
    stored = await kernel.redis.hget("elsehu:presence", str(person.id))
    if stored is None:
        return None
    entry: dict[str, Any] = orjson.loads(stored)
    assert entry["until"] > time.time()
    return str(entry["status"])


async def test_coming_and_going_is_told_to_everybody(
    site: RunningServer, watcher: Socket, people: People, open_socket: Open
) -> None:
    person = people.add()
    socket = await open_socket(site, person)
    await watcher.until(lambda: told(watcher, person) == ["online"])
    assert await kept(site.kernel, person) == "online"
    await socket.close()
    await watcher.until(lambda: told(watcher, person) == ["online", "offline"])
    assert await kept(site.kernel, person) is None


async def test_the_last_of_all_sockets_counts_wherever_they_are(
    site: RunningServer, start: Start, watcher: Socket, people: People, open_socket: Open
) -> None:
    second = await start()
    person = people.add()
    sockets = [await open_socket(server, person) for server in (site, second, second)]
    await watcher.until(lambda: told(watcher, person) == ["online"])
    for socket in sockets[:2]:
        await socket.close()
    await asyncio.sleep(1.0)  # longer than a leaver lingers, and than it takes to renew
    assert told(watcher, person) == ["online"]
    await sockets[2].close()
    await watcher.until(lambda: told(watcher, person) == ["online", "offline"])


async def test_a_page_that_reloads_is_not_told(
    site: RunningServer, watcher: Socket, people: People, open_socket: Open
) -> None:
    person = people.add()
    for _ in range(4):
        socket = await open_socket(site, person)
        await watcher.until(lambda: told(watcher, person))
        await socket.close()
    await watcher.until(lambda: told(watcher, person) == ["online", "offline"])


async def test_people_are_seen_as_they_want(
    site: RunningServer, start: Start, watcher: Socket, people: People, open_socket: Open
) -> None:
    second = await start()
    person = people.add()
    socket = await open_socket(second, person)
    await socket.do("operator:status", {"status": "away"})
    await watcher.until(lambda: told(watcher, person)[-1:] == ["away"])
    other = await open_socket(site, person)
    await asyncio.sleep(1.0)  # another socket, and renewals, change nothing
    assert told(watcher, person)[-1] == "away"
    await socket.do("operator:status", {"status": "offline"})
    await watcher.until(lambda: told(watcher, person)[-1] == "offline")
    assert await kept(site.kernel, person) == "offline"
    await other.do("operator:status", {"status": "online"})
    await watcher.until(lambda: told(watcher, person)[-1] == "online")
    await socket.do("operator:status", {"status": "away"})
    await socket.close()
    await other.close()
    await watcher.until(lambda: told(watcher, person)[-1] == "offline")
    await open_socket(site, person)
    await watcher.until(lambda: told(watcher, person)[-1] == "online")


async def test_an_api_key_is_nobody(site: RunningServer, watcher: Socket, people: People, open_socket: Open) -> None:
    key = Caller(Role.ADMIN, None, "a machine", None, new_id())
    people.callers["elk_1"] = key
    socket = await open_socket(site)
    welcome = await socket.do("auth", {"token": "elk_1"})
    assert welcome["user"]["id"] is None
    answer = await socket.ask("operator:status", {"status": "away"})
    assert answer["error"]["code"] == "users_only"
    assert len(await site.kernel.redis.hgetall("elsehu:presence")) == 1  # the watcher


async def test_what_a_dead_process_held_runs_out(
    site: RunningServer, watcher: Socket, people: People, open_socket: Open
) -> None:
    person = people.add()
    entry = {"status": "online", "until": time.time() + 1.5, "held": {"dead": time.time() + 1.5}}
    await site.kernel.redis.hset("elsehu:presence", str(person.id), orjson.dumps(entry))
    await asyncio.sleep(0.7)
    assert told(watcher, person) == []
    await watcher.until(lambda: told(watcher, person) == ["offline"])
    assert await kept(site.kernel, person) is None


async def test_presence_is_back_after_redis_lost_it(
    site: RunningServer, watcher: Socket, people: People, open_socket: Open
) -> None:
    person = people.add()
    await open_socket(site, person)
    await watcher.until(lambda: told(watcher, person))
    await site.kernel.redis.flushall()
    async with asyncio.timeout(5):
        while await kept(site.kernel, person) != "online":
            await asyncio.sleep(0.02)


async def test_typing_is_told_to_the_others_in_the_room(
    site: RunningServer, start: Start, people: People, open_socket: Open
) -> None:
    second = await start()
    room, typist = str(new_id()), people.add()
    inside, outside, own = [await open_socket(second, one) for one in (people.add(), people.add(), typist)]
    for socket in (inside, own):
        await socket.do("conversation:join", {"conversationId": room})
    hint = {"conversationId": room, "state": "composing", "user": {"id": str(typist.id), "name": "T"}}
    await site.kernel.bus.publish("elsehu.typing", hint)
    frame = await inside.next("typing")
    assert frame["data"] == hint
    assert set(frame) == {"event", "data", "at"}
    assert not outside.all("typing")
    assert not own.all("typing")
