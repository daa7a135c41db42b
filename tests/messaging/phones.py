"""A provider whose phone a test holds: it remembers what arrived, and fails as it is told."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import elsehu_storage_local

from elsehu.contracts.instance import Instance
from elsehu.contracts.outbound import OutboundMessage
from elsehu.plugin import (
    Accepted,
    InstanceReport,
    InstanceStatus,
    Kind,
    NoConfig,
    Normalized,
    PluginInfo,
    ProviderSpec,
    Sent,
    hookimpl,
)

Answer = Exception | Callable[[OutboundMessage], Awaitable[Sent]]
SPEC = ProviderSpec("phone", NoConfig, NoConfig, frozenset({Kind.TEXT, Kind.REACTION, Kind.LOCATION}))


class Phone:
    """The plugin `phone`. `arrived` is what it got, in order; `answers` are given first, then all is well."""

    def __init__(self) -> None:
        self.arrived: list[OutboundMessage] = []
        self.times: list[float] = []
        self.answers: deque[Answer] = deque()
        self.most_in_flight_of_one = 0
        self._current: dict[Any, int] = {}
        self.seconds = 0.0

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo("phone", "a phone in a test", provider=SPEC)

    @hookimpl
    def provider_receive(self) -> Accepted:
        return Accepted({}, [])

    @hookimpl
    def provider_normalize(self) -> Normalized:
        return Normalized()

    @hookimpl
    async def provider_send(self, instance: Instance, message: OutboundMessage) -> Sent:
        chat = message.to[0].value
        self._current[chat] = self._current.get(chat, 0) + 1
        self.most_in_flight_of_one = max(self.most_in_flight_of_one, self._current[chat])
        try:
            await asyncio.sleep(self.seconds)
            answer = self.answers.popleft() if self.answers else self.take
            if isinstance(answer, Exception):
                raise answer
            return await answer(message)
        finally:
            self._current[chat] -= 1

    async def take(self, message: OutboundMessage) -> Sent:
        """Let the message arrive."""
        self.arrived.append(message)
        self.times.append(asyncio.get_running_loop().time())
        return Sent(f"EXT-{message.id}")

    @hookimpl
    async def provider_connect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)

    @hookimpl
    async def provider_disconnect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.DISCONNECTED)

    @hookimpl
    async def provider_status(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)


@dataclass(frozen=True)
class Entry:
    """Stands for an installed package's entry point."""

    name: str
    plugin: Any
    value: str = "phones"
    dist: None = None

    def load(self) -> Any:
        return self.plugin


def found(phone: Phone) -> dict[str, list[Entry]]:
    """Return what `load_plugins` finds installed."""
    storage = elsehu_storage_local
    return {"phone": [Entry("phone", phone)], "storage_local": [Entry("storage_local", storage)]}
