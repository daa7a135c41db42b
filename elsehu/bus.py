"""Hints between processes over Redis, through broadcaster. Nothing that matters lives only here.

broadcaster's Redis backend stops for good when its connection breaks and its queue has no bound; this one
connects again by itself, subscribes anew, and drops the oldest hint when nobody keeps up: a lost hint is
repaired by whoever reads the rows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import structlog
from broadcaster import Broadcast
from broadcaster._backends.base import BroadcastBackend
from broadcaster._base import Event
from redis import asyncio as redis
from redis.exceptions import RedisError

from elsehu.tasks import end

log = structlog.get_logger("elsehu.bus")

QUEUE_HINTS = 10_000
RECONNECT_SECONDS = 0.5
Listener = Callable[[dict[str, Any]], Awaitable[None] | None]


class HealingRedisBackend(BroadcastBackend):
    """Redis pub/sub that survives restarts of Redis and never holds more than QUEUE_HINTS."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, health_check_interval=5, socket_connect_timeout=2)
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        self._one_at_a_time = asyncio.Lock()  # two that subscribe first would open a connection each, and one is lost
        self._channels: set[str] = set()
        self._changed = asyncio.Event()
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_HINTS)
        self._reader: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Start reading in the background; Redis need not be there yet."""
        self._reader = asyncio.create_task(self._read_forever())

    async def disconnect(self) -> None:
        """Stop reading and close the connections."""
        if self._reader:
            await end([self._reader])
        with suppress(RedisError, OSError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()

    async def subscribe(self, channel: str) -> None:
        """Take part in `channel`, now or as soon as Redis is back."""
        self._channels.add(channel)
        self._changed.set()
        with suppress(RedisError, OSError):
            async with self._one_at_a_time:
                await self._pubsub.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        """Leave `channel`."""
        self._channels.discard(channel)
        with suppress(RedisError, OSError):
            await self._pubsub.unsubscribe(channel)

    async def publish(self, channel: str, message: Any) -> None:
        """Publish a hint. Raises RedisError or OSError while Redis is away."""
        await self._redis.publish(channel, message)

    async def next_published(self) -> Event:
        """Wait for the next hint."""
        return await self._queue.get()

    async def _read_forever(self) -> None:
        while True:
            await self._changed.wait()
            try:
                await self._read()
            except (RedisError, OSError) as error:
                log.warning("redis_away", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)
                await self._start_anew()

    async def _start_anew(self) -> None:
        async with self._one_at_a_time:
            with suppress(RedisError, OSError):
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            with suppress(RedisError, OSError):
                await self._pubsub.subscribe(*self._channels)

    async def _read(self) -> None:
        while self._channels:
            async with self._one_at_a_time:
                if not self._pubsub.subscribed:
                    await self._pubsub.subscribe(*self._channels)
            message = await self._pubsub.get_message(timeout=1.0)
            if message is not None:
                self._keep(Event(message["channel"].decode(), message["data"].decode()))
        self._changed.clear()

    def _keep(self, event: Event) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)


class Bus:
    """Publishes hints and hands them to listeners, one subscription a channel a process."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._tasks: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()  # broadcaster forgets one of two that begin on a channel together

    async def publish(self, channel: str, hint: dict[str, Any]) -> None:
        """Publish `hint` (JSON-ready) to all processes; while Redis is away it is dropped, with a log line."""
        try:
            await self._broadcast.publish(channel, orjson.dumps(hint, default=str).decode())
        except (RedisError, OSError) as error:
            log.warning("hint_dropped", channel=channel, error=type(error).__name__)

    async def listen(self, channel: str, listener: Listener) -> None:
        """Have `listener` called with each hint on `channel`, in order, until the bus closes."""
        started = asyncio.Event()
        async with self._one_at_a_time:
            self._tasks.append(asyncio.create_task(self._listen(channel, listener, started)))
            await started.wait()

    async def _listen(self, channel: str, listener: Listener, started: asyncio.Event) -> None:
        async with self._broadcast.subscribe(channel) as subscriber:
            started.set()
            async for event in subscriber:  # type: ignore[union-attr]
                if event is None:
                    return
                outcome = listener(orjson.loads(event.message))
                if outcome is not None:
                    await outcome

    async def close(self) -> None:
        """Stop all listeners."""
        await end(self._tasks)


@asynccontextmanager
async def open_bus(redis_url: str) -> AsyncIterator[Bus]:
    """Open the bus at `redis_url`; Redis may come later."""
    broadcast = Broadcast(backend=HealingRedisBackend(redis_url))
    await broadcast.connect()
    bus = Bus(broadcast)
    try:
        yield bus
    finally:
        await bus.close()
        await broadcast.disconnect()
