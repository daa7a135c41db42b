"""Replaying what a client has missed, without losing or overtaking what happens meanwhile.

While the replay runs, live events pass the socket by: the replay will come to them. Close to the present they
are held back instead, the rest is read, and what was held back follows. So an event can come twice, but none
is missing and none comes before an older one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from elsehu.db import CONNECTION_LOST
from elsehu.events import Event, reading
from elsehu.events.cursors import Cursor
from elsehu.events.positions import Position
from elsehu.realtime import frames
from elsehu.realtime.session import TRY_AGAIN_LATER, Flow

if TYPE_CHECKING:
    from elsehu.realtime.session import Session

log = structlog.get_logger("elsehu.realtime")

PAGE_EVENTS = 200
RETRY_SECONDS = 0.25
Answer = TypeVar("Answer")


def start(session: "Session", cursor: Cursor) -> None:
    """Replay what was committed since `cursor` in the background, then go live."""
    session.flow = Flow.REPLAYED
    session.replay = asyncio.create_task(_replay(session, cursor))


async def _replay(session: "Session", cursor: Cursor) -> None:
    try:
        reason = await _patiently(partial(_why_not, session, cursor))
        if reason is not None:
            session.start_over(reason)
        else:
            position = await _catch_up(session, cursor.position)
            session.flow = Flow.HELD
            position = await _catch_up(session, position)
            session.cursor = _encode(session, position)
            session.put(frames.notice("resumed", session.hub.kernel.now(), {}, cursor=session.cursor))
        session.go_live()
    except Exception:
        log.exception("replay_broke")
        session.close(TRY_AGAIN_LATER, "replay_broke", drop=True)


async def _why_not(session: "Session", cursor: Cursor) -> str | None:
    """Return why a cursor cannot be replayed, or None if it can."""
    settings = session.hub.kernel.settings.realtime
    if cursor.life != session.hub.stand.life:
        return "other_database"
    if cursor.at < session.hub.kernel.now() - timedelta(hours=settings.resume_hours):
        return "too_old"
    async with session.hub.kernel.db.reader() as uow:
        if not await reading.is_possible(uow, cursor.position):
            return "other_database"
        if await reading.count_since(uow, cursor.position, settings.resume_max_events) > settings.resume_max_events:
            return "too_many"
    return None


async def _catch_up(session: "Session", position: Position) -> Position:
    """Replay page by page until there is no more; return where that is."""
    is_behind = True
    while is_behind:
        events, after = await _patiently(partial(_read, session, position))
        await _replay_page(session, events, position, after)
        is_behind, position = len(events) >= PAGE_EVENTS, after
    return position


async def _read(session: "Session", position: Position) -> tuple[list[Event], Position]:
    async with session.hub.kernel.db.reader() as uow:
        return await reading.read_since(uow, position, PAGE_EVENTS)


async def _replay_page(session: "Session", events: list[Event], before: Position, after: Position) -> None:
    hub = session.hub
    wanted = [event for event in events if event.type in hub.registry.event_types]
    rendered = await _patiently(partial(hub.registry.render, hub.kernel, wanted))
    selected = hub.subscriptions.addressed_to(session, wanted, rendered)
    old, new = _encode(session, before), _encode(session, after)
    for place, frame in enumerate(selected, start=1):
        await session.outgoing.put_patiently(frame.text(new if place == len(selected) else old))


def _encode(session: "Session", position: Position) -> str:
    return Cursor(position, session.hub.kernel.now(), session.hub.stand.life).encode()


async def _patiently(step: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do a step again and again while PostgreSQL is away: the client waits, and misses nothing."""
    while True:
        try:
            return await step()
        except CONNECTION_LOST:
            await asyncio.sleep(RETRY_SECONDS)
