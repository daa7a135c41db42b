"""Plugins are told of what was committed: in order, by one process, at least once, whatever they do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from elsehu.clock import utc_now
from elsehu.contracts.plugin import PluginContext, PluginInfo
from elsehu.plugins import Plugin, Plugins, facade
from elsehu.realtime import notifier
from elsehu.settings import Settings
from elsehu.testing.serving import RunningServer, running_server

from .client import Socket
from .world import Note, People, create_app, write

Open = Callable[..., Awaitable[Socket]]


class Listener:
    """A plugin that listens, and does as it is told: `hang` or `fail` at a text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []
        self.does: dict[str, str] = {}

    async def message_received(self, data: Mapping[str, Any]) -> None:
        does = self.does.pop(data["text"], "")
        if does == "fail":
            raise RuntimeError("a plugin with a bug")
        if does == "hang":
            await asyncio.sleep(3600)
        self.told.append(data["text"])

    async def says(self, *texts: str) -> None:
        async with asyncio.timeout(10):
            while len(self.told) < len(texts):
                await asyncio.sleep(0.01)
        assert self.told == list(texts)

    def loaded(self) -> Plugin:
        hook = SimpleNamespace(function=self.message_received, argnames=("data",))
        context = PluginContext(None, None, utc_now, lambda *_, **__: None, Path())  # type: ignore[arg-type]
        return Plugin(PluginInfo(self.name, "listens"), self, {"message_received": hook}, context)


@pytest.fixture
def listeners() -> Sequence[Listener]:
    return [Listener("first"), Listener("second")]


@pytest.fixture
def plugins(listeners: Sequence[Listener], monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(facade, "NOTIFICATION_SECONDS", 0.5)
    monkeypatch.setattr(notifier, "TURN_SECONDS", 0.1)
    return Plugins([listener.loaded() for listener in listeners], "none")


async def has_started(server: RunningServer) -> None:
    """Wait until somebody tells plugins: what was committed before that is told to none."""
    async with asyncio.timeout(10):
        while not await server.kernel.db.fetch_value("SELECT count(*) FROM event_readers"):
            await asyncio.sleep(0.01)


async def test_every_plugin_is_told_in_order(site: RunningServer, listeners: Sequence[Listener]) -> None:
    await has_started(site)
    texts = [f"note {number}" for number in range(250)]
    await write(site.kernel, *(Note(None, text) for text in texts))
    await write(site.kernel, Note(None, "nobody asked"), kind="note:moved")
    await write(site.kernel, Note(None, "end"))
    for listener in listeners:
        await listener.says(*texts, "end")


async def test_a_plugin_that_fails_or_hangs_stops_nobody(
    site: RunningServer, listeners: Sequence[Listener], people: People, open_socket: Open, plugins: Plugins
) -> None:
    await has_started(site)
    socket = await open_socket(site, people.add())
    listeners[0].does = {"one": "fail", "two": "hang"}
    await write(site.kernel, *(Note(None, text) for text in ("one", "two", "three")))
    await socket.says("one", "two", "three", seconds=0.4)
    await listeners[1].says("one", "two", "three")
    await listeners[0].says("three")
    assert plugins.failures == {"first": 2}


async def test_only_one_process_tells(
    site: RunningServer, start: Callable[[], Awaitable[RunningServer]], listeners: Sequence[Listener]
) -> None:
    others = [await start(), await start()]
    await has_started(site)
    for number, server in enumerate((site, *others, *others, site)):
        await write(server.kernel, Note(None, f"note {number}"))
    await listeners[0].says(*(f"note {number}" for number in range(6)))


async def test_a_successor_goes_on_where_the_last_one_stopped(
    settings: Settings, people: People, plugins: Plugins, listeners: Sequence[Listener]
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_server(create_app(settings, people, plugins)))
        second = await stack.enter_async_context(running_server(create_app(settings, people, plugins)))
        await has_started(first)
        await write(first.kernel, Note(None, "before"))
        await listeners[0].says("before")
        holder = await first.kernel.db.fetch_value("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        await first.kernel.db.execute("SELECT pg_terminate_backend($1)", holder)
        await write(second.kernel, Note(None, "after"))
        async with asyncio.timeout(10):
            while "after" not in listeners[0].told:
                await asyncio.sleep(0.01)
    async with running_server(create_app(settings, people, plugins)) as third:
        await write(third.kernel, Note(None, "much later"))
        async with asyncio.timeout(10):
            while "much later" not in listeners[0].told:
                await asyncio.sleep(0.01)
    assert list(dict.fromkeys(listeners[0].told)) == ["before", "after", "much later"]


async def test_what_was_committed_while_nobody_told_is_told(
    settings: Settings, people: People, plugins: Plugins, listeners: Sequence[Listener]
) -> None:
    async with running_server(create_app(settings, people, plugins)) as first:
        await has_started(first)
    async with running_server(create_app(settings, people, Plugins([], "none"))) as alone:
        await write(alone.kernel, Note(None, "in between"))
    assert listeners[0].told == []
    async with running_server(create_app(settings, people, plugins)):
        await listeners[0].says("in between")


class TestNobodyListens:
    @pytest.fixture
    def plugins(self) -> Plugins:
        return Plugins([], "none")

    async def test_it_costs_nothing(self, site: RunningServer) -> None:
        await write(site.kernel, Note(None, "unheard"))
        await asyncio.sleep(0.3)
        assert await site.kernel.db.fetch_value("SELECT count(*) FROM event_readers") == 0
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await site.kernel.db.fetch_value(locks) == 0
