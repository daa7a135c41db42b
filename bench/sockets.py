"""Row "sockets": from a committed event to very many sockets, beside floor (c), a fan-out that only passes texts on.

1,000 sockets of 50 operators, 20 in each room; 500 events a second, each with a room of 20 receivers. The time counts
from before the event's transaction begins, in a process that is not the web process, until a client has the frame.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from uuid import UUID

import orjson
from redis.asyncio import Redis

from bench.alternating import alternate
from bench.busy_desk import Size
from bench.floor import CHANNEL
from bench.floors import running_floor
from bench.listeners import Listeners, Plan, listening
from bench.place import Place, Web, filled, running_web, token_of_new_user
from bench.sizes import Sizes
from bench.table import Finding, alone, compared
from bench.websocket import Client
from elsehu import events
from elsehu.events import Change

ROW = "sockets"
EVENTS_A_SECOND = 500
IN_A_ROOM = 20
ID_LENGTH = 36
GRACE_SECONDS = 1.0
FILLING = "x" * 600
MARK = '{"event":"message:updated","data":{"id":"'
CONVERSATIONS = "SELECT id FROM conversations ORDER BY id"
MESSAGES = "SELECT id, conversation_id FROM messages ORDER BY md5(id::text) LIMIT $1"

Publish = Callable[[str, str], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one round: latencies in milliseconds of all deliveries."""

    deliveries: int
    p50: float
    p99: float


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure the latency of deliveries."""
    rooms_count = sizes.sockets // IN_A_ROOM
    events_each = int(sizes.socket_seconds * EVENTS_A_SECOND)
    url = await place.new_database()
    async with running_web(place, url) as web, running_floor(place, url) as floor_port:
        rooms, subjects = await _rooms(web, url, rooms_count, events_each)
        tokens = [await token_of_new_user(web.kernel, "SUPERVISOR") for _ in rooms]
        ours = _elsehu(web, rooms, tokens)
        floor = _floor(floor_port, rooms)
        async with _redis(place) as redis:
            pairs = await alternate(
                sizes.rounds,
                lambda _: _round(ours, subjects, lambda room, message: _record(web, room, message)),
                lambda _: _round(floor, subjects, lambda room, message: _pass_on(redis, room, message)),
            )
    what = f"{sizes.sockets:,} clients, {EVENTS_A_SECOND} events/s × {IN_A_ROOM}"
    return [
        alone(ROW, f"99th percentile, {what}", "ms", [a.p99 for a, _ in pairs], "≤ 50 ms"),
        compared(ROW, "99th percentile beside a bare fan-out", "ms", [(a.p99, b.p99) for a, b in pairs]),
        compared(ROW, "median", "ms", [(a.p50, b.p50) for a, b in pairs]),
    ]


@asynccontextmanager
async def _redis(place: Place) -> AsyncIterator[Redis]:
    async with Redis.from_url(place.services.redis_url) as redis:
        yield redis


async def _rooms(web: Web, url: str, count: int, events_each: int) -> tuple[list[UUID], list[tuple[str, str]]]:
    """Return conversations, and (conversation, message) for each event, well mixed and no message twice."""
    await filled(web, url, Size(conversations=count, messages_each=1 + events_each // count))
    rooms = [row["id"] for row in await web.kernel.db.fetch(CONVERSATIONS)]
    rows = await web.kernel.db.fetch(MESSAGES, events_each)
    return rooms, [(str(row["conversation_id"]), str(row["id"])) for row in rows]


def _elsehu(web: Web, rooms: Sequence[UUID], tokens: Sequence[str]) -> Plan:
    """Twenty sockets of each user; in each room there is one of twenty different users."""
    clients = []
    for number in range(len(rooms) * IN_A_ROOM):
        join = {"event": "conversation:join", "id": 1, "data": {"conversationId": str(rooms[number % len(rooms)])}}
        token = tokens[number // IN_A_ROOM]
        clients.append(Client(f"/ws?token={token}", orjson.dumps(join).decode(), answers=2))
    return Plan(web.port, clients, MARK, ID_LENGTH)


def _floor(port: int, rooms: Sequence[UUID]) -> Plan:
    clients = [Client(f"/floor/{rooms[number % len(rooms)]}") for number in range(len(rooms) * IN_A_ROOM)]
    return Plan(port, clients, MARK, ID_LENGTH)


async def _record(web: Web, room: str, message: str) -> None:
    """Commit an event as any process does that changed a message."""
    async with web.kernel.db.transaction() as uow:
        await events.record(uow, [Change("message:updated", UUID(message), UUID(room))])


async def _pass_on(redis: Redis, room: str, message: str) -> None:
    frame = {"event": "message:updated", "data": {"id": message, "text": FILLING}}
    await redis.publish(CHANNEL + room, orjson.dumps(frame))


async def _round(plan: Plan, subjects: Sequence[tuple[str, str]], publish: Publish) -> Heard:
    async with listening(plan) as listeners:
        began = await _publish_all(subjects, publish)
        return await _heard(listeners, began)


async def _publish_all(subjects: Sequence[tuple[str, str]], publish: Publish) -> Mapping[str, float]:
    """Publish at an even pace, whatever each takes; return when each began."""
    began: dict[str, float] = {}
    start = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, (room, message) in enumerate(subjects):
            await asyncio.sleep(max(0.0, start + number / EVENTS_A_SECOND - time.monotonic()))
            began[message] = time.monotonic()
            tasks.create_task(publish(room, message))
    await asyncio.sleep(GRACE_SECONDS)
    return began


async def _heard(listeners: Listeners, began: Mapping[str, float]) -> Heard:
    """Return the latencies. Raises RuntimeError unless every receiver got every event once."""
    notes = await listeners.notes()
    latencies = sorted((at - began[message]) * 1000 for message, at in notes)
    if len(latencies) != len(began) * IN_A_ROOM:
        raise RuntimeError(f"{len(latencies)} deliveries instead of {len(began) * IN_A_ROOM}")
    return Heard(len(latencies), median(latencies), latencies[int(len(latencies) * 0.99)])
