"""A provider whose files the tests decide, and how it is loaded without being installed."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from elsehu.plugin import (
    InstanceReport,
    InstanceStatus,
    MediaContent,
    NoConfig,
    PluginInfo,
    ProviderSpec,
    hookimpl,
)
from elsehu.plugins import installed

Gives = Callable[[], AsyncIterator[bytes]]


@dataclass
class FileProvider:
    """A provider that gives the files which a test puts into `files`, by the name in the reference."""

    files: dict[str, Gives] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        spec = ProviderSpec("files", credentials=NoConfig, settings=NoConfig, kinds=frozenset())
        return PluginInfo("files", "Gives files to tests.", provider=spec)

    @hookimpl
    def provider_receive(self) -> Any: ...

    @hookimpl
    def provider_normalize(self) -> Any: ...

    @hookimpl
    async def provider_send(self) -> Any: ...

    @hookimpl
    async def provider_connect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)

    @hookimpl
    async def provider_disconnect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.DISCONNECTED)

    @hookimpl
    async def provider_status(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)

    @hookimpl
    async def provider_media(self, media: MediaContent) -> AsyncIterator[bytes]:
        name = media.reference["name"]
        self.asked.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            async for chunk in self.files[name]():
                yield chunk
        finally:
            self.at_once -= 1


@dataclass(frozen=True)
class Entry:
    """An entry point to an object that is here already."""

    plugin: Any
    value: str = "tests"
    dist: None = None

    def load(self) -> Any:
        return self.plugin


def entries(plugin: Any) -> Any:
    return {**installed(), "files": [Entry(plugin)]}
