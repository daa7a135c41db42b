"""Who is there: online while a socket of theirs is open anywhere, or what they say themselves.

The hash `elsehu:presence` in Redis has a field for each user who is there: `{"status", "until", "held": {process:
until}}`, times in epoch seconds. Each process holds its users and renews that; what a process that died held
runs out by itself, and whoever notices first tells.
"""

import asyncio
from collections.abc import Awaitable
from typing import cast
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from elsehu.ids import new_token
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.realtime")

HASH = "elsehu:presence"
CHANNEL = "elsehu.presence"
HELD_SECONDS = 60.0
RENEWED_SECONDS = 20.0
LINGERING_SECONDS = 3.0
TICK_SECONDS = 0.25

# Holds (ARGV 4 is until when) or lets go (empty) of a user for a process, forgets processes whose time is over,
# and answers what others saw before and see now. Everything in one step, whatever other processes do.
SETTLE = """
local user, process, now, till, chosen = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local stored = redis.call('HGET', KEYS[1], user)
local entry = stored and cjson.decode(stored) or {status = 'offline', held = {}}
local before = entry.status
for holder, time in pairs(entry.held) do
    if time <= now then entry.held[holder] = nil end
end
local is_new = next(entry.held) == nil
entry.held[process] = till ~= '' and tonumber(till) or nil
if next(entry.held) == nil then
    redis.call('HDEL', KEYS[1], user)
    return {before, 'offline'}
end
entry['until'] = 0
for _, time in pairs(entry.held) do entry['until'] = math.max(entry['until'], time) end
if chosen ~= '' then entry.status = chosen elseif is_new then entry.status = 'online' end
redis.call('HSET', KEYS[1], user, cjson.encode(entry))
return {before, entry.status}
"""


class Presence:
    """This process's part in who is there. `arrived` and `left` never wait; `run` carries them to Redis."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._process = new_token(9)
        self._here: dict[UUID, str] = {}
        self._leaving: dict[UUID, float] = {}
        self._due: dict[UUID, str] = {}

    def arrived(self, user_id: UUID) -> None:
        """Note that a user's first socket on this process was opened."""
        self._leaving.pop(user_id, None)
        if user_id not in self._here:
            self._here[user_id] = self._due[user_id] = ""

    def left(self, user_id: UUID) -> None:
        """Note that a user's last socket on this process was closed. A page that reloads is back before it counts."""
        self._leaving[user_id] = asyncio.get_running_loop().time() + LINGERING_SECONDS

    def choose(self, user_id: UUID, status: str) -> None:
        """Note what a user wants to be seen as while sockets are open."""
        self._due[user_id] = status

    async def run(self) -> None:
        """Keep Redis up to date. While Redis is away nothing is lost: everything is said again on renewal."""
        renewal = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            self._let_go(now)
            if now >= renewal:
                renewal = now + RENEWED_SECONDS
                self._due = dict.fromkeys(self._here, "") | self._due
                await self._survive(self._expire())
            await self._survive(self._settle_due())
            await asyncio.sleep(TICK_SECONDS)

    def _let_go(self, now: float) -> None:
        for user_id in [one for one, time in self._leaving.items() if time <= now]:
            del self._leaving[user_id]
            self._here.pop(user_id, None)
            self._due[user_id] = ""

    async def _settle_due(self) -> None:
        while self._due:
            user_id, chosen = next(iter(self._due.items()))
            await self._settle(str(user_id), chosen, is_here=user_id in self._here)
            if self._due.get(user_id) == chosen:
                del self._due[user_id]

    async def _expire(self) -> None:
        """Look for what processes that died have held."""
        now = self._kernel.now().timestamp()
        for user, stored in (await cast(Awaitable[dict[bytes, bytes]], self._kernel.redis.hgetall(HASH))).items():
            if orjson.loads(stored)["until"] <= now:
                await self._settle(user.decode(), "", is_here=False)

    async def _settle(self, user: str, chosen: str, *, is_here: bool) -> None:
        now = self._kernel.now().timestamp()
        until = str(now + HELD_SECONDS) if is_here else ""
        arguments = [HASH, user, self._process, str(now), until, chosen if is_here else ""]
        answer = await cast(Awaitable[list[bytes]], self._kernel.redis.eval(SETTLE, 1, *arguments))
        before, after = (status.decode() for status in answer)
        if before != after:
            await self._kernel.bus.publish(CHANNEL, {"userId": user, "status": after})

    async def _survive(self, step: Awaitable[None]) -> None:
        try:
            await step
        except (RedisError, OSError) as error:
            log.warning("presence_waits", error=type(error).__name__)
