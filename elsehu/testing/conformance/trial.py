"""One run of the suite: the loaded plugin, what was heard, and the houses (whole servers) that are opened for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from elsehu.contracts.plugin import ProviderSpec
from elsehu.plugins import Plugin, Plugins, installed, load_plugins
from elsehu.settings import Settings
from elsehu.testing.conformance.declaration import ProviderConformance
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.opening import open_house
from elsehu.testing.conformance.outcome import Failed, Skipped
from elsehu.testing.databases import Services


@dataclass
class Trial:
    """What the checks work with. `found` says where secrets were seen, `spoken` what was logged."""

    name: str
    declared: ProviderConformance | None
    services: Services | None
    folder: Path
    spoken: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _house: House | None = None
    _broken: bool = False
    _houses: int = 0

    @property
    def package(self) -> str:
        """The top package of the plugin."""
        entries = installed().get(self.name, ())
        return entries[0].value.split(":")[0].split(".")[0] if entries else self.name

    @property
    def overrides(self) -> Mapping[str, Any]:
        """What the installation under test differs in: this plugin and no other provider."""
        table = {self.name: dict(self.declared.config)} if self.declared and self.declared.config else {}
        enabled = list(dict.fromkeys([self.name, "storage_local"]))
        return {
            "plugins": {"enabled": enabled, **table},
            "messaging": {"backoff_first": 0.2, "send_wait": 2.0, "send_timeout": 10.0},
            "http_client": {"timeout": 5.0},
        }

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins, loaded as an installation loads them. Raises ConfigError."""
        return load_plugins(Settings(data_dir=self.folder / "loaded", **self.overrides))

    @property
    def plugin(self) -> Plugin:
        """The plugin that is tried. Raises ConfigError where it cannot be loaded."""
        return next(one for one in self.plugins.loaded if one.info.name == self.name)

    @property
    def spec(self) -> ProviderSpec:
        """What it provides. Raises Skipped for a plugin that is no provider."""
        spec = self.plugin.info.provider
        if spec is None:
            raise Skipped("the plugin is no provider")
        return spec

    def can(self, ability: str) -> bool:
        """Whether the plugin implements the optional hook of an ability."""
        return self.plugin.implements(f"provider_{ability}")

    def needs(self, ability: str) -> None:
        """Raise Skipped where the plugin has not this ability."""
        if not self.can(ability):
            raise Skipped(f"the plugin does not implement provider_{ability}")

    @property
    def declaration(self) -> ProviderConformance:
        """What was declared. Raises Skipped where nothing was."""
        if self.declared is None:
            raise Skipped("nothing is declared")
        return self.declared

    async def house(self) -> House:
        """Return the house that most checks share, opened the first time."""
        if self._broken:
            raise Skipped("the number could not be connected: see the first check that failed")
        if self._house is None:
            try:
                self._house = await self._stack.enter_async_context(self.another_house())
            except Exception:
                self._broken = True
                raise
        return self._house

    @asynccontextmanager
    async def another_house(self) -> AsyncIterator[House]:
        """Open a house of its own, with an empty database and a new stand-in; look for secrets when it is left."""
        if self.services is None:
            raise Skipped("PostgreSQL and Valkey do not run")
        self._houses += 1
        folder = self.folder / f"house{self._houses}"
        async with open_house(self.name, self.declaration, self.services, folder, self.overrides) as house:
            self.marks |= house.marks
            yield house
            self.marks |= house.marks
            self.found += await house.secrets_in_database(self.marks)

    async def close(self) -> None:
        """Close what is open."""
        await self._stack.aclose()


def missing(what: str, why: str) -> Failed:
    """Return the failure of a check that needs more of the declaration."""
    return Failed(f"the declaration lacks `{what}`: {why}")
