"""Two providers that a test steers: `pairable` has QR codes and secrets, `plain` neither.

`load_plugins(settings, found(steered))` loads them where the settings enable `pairable`, `plain` and
`storage_local`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr, field_validator

from elsehu.plugin import (
    Accepted,
    Instance,
    InstanceReport,
    InstanceStatus,
    Kind,
    NoConfig,
    Normalized,
    Pairing,
    PluginInfo,
    PluginModel,
    ProviderSpec,
    Sent,
    hookimpl,
)

Verb = Callable[[Instance], Awaitable[Any]]
CONNECTED = InstanceReport(InstanceStatus.CONNECTED)


class Credentials(PluginModel):
    """What a `pairable` number is given. A refused key is, carelessly, part of the refusal."""

    server_url: str
    api_key: SecretStr
    instance_name: str | None = None

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value()) < 8:
            raise ValueError(f"{key.get_secret_value()} is too short")
        return key


class InstanceSettings(PluginModel):
    """What can be set on a `pairable` number."""

    groups: bool = False
    pause_seconds: float = 1.5


@dataclass
class Steered:
    """What the providers were asked (`calls`), and what they answer.

    `answers` has a value, an exception or a coroutine function of the instance for a verb (`connect`), or for
    a verb and an instance's name (`connect Shop`).
    """

    calls: list[tuple[str, Instance]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    async def answer(self, verb: str, instance: Instance, usual: Any) -> Any:
        """Note the question; give the answer that the test wants, else the usual one."""
        self.calls.append((verb, instance))
        answer = self.answers.get(f"{verb} {instance.name}", self.answers.get(verb, usual))
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return await answer(instance) if callable(answer) else answer

    def count(self, verb: str, name: str | None = None) -> int:
        """Return how often `verb` was asked, of the instance `name` or of any."""
        return sum(1 for called, instance in self.calls if called == verb and name in (None, instance.name))

    def last(self, verb: str) -> Instance:
        """Return the instance of which `verb` was asked last."""
        return [instance for called, instance in self.calls if called == verb][-1]


class _Plain:
    """The required hooks of a provider."""

    spec = ProviderSpec("plain", NoConfig, NoConfig, frozenset({Kind.TEXT}))

    def __init__(self, steered: Steered) -> None:
        self.steered = steered

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(self.spec.name, "a fake", provider=self.spec)

    @hookimpl
    def provider_receive(self) -> Accepted:
        return Accepted({}, [])

    @hookimpl
    def provider_normalize(self) -> Normalized:
        return Normalized()

    @hookimpl
    async def provider_send(self, instance: Instance) -> Any:
        return await self.steered.answer("send", instance, Sent(f"external-{len(self.steered.calls)}"))

    @hookimpl
    async def provider_connect(self, instance: Instance) -> Any:
        return await self.steered.answer("connect", instance, CONNECTED)

    @hookimpl
    async def provider_disconnect(self, instance: Instance, forget: bool) -> Any:
        if forget:
            self.steered.forgotten.append(instance.name)
        return await self.steered.answer("disconnect", instance, InstanceReport(InstanceStatus.DISCONNECTED))

    @hookimpl
    async def provider_status(self, instance: Instance) -> Any:
        return await self.steered.answer("status", instance, CONNECTED)


class _Pairable(_Plain):
    """A provider whose numbers are linked by a QR code."""

    spec = ProviderSpec(
        "pairable", Credentials, InstanceSettings, frozenset({Kind.TEXT, Kind.IMAGE}), webhook_names=("pair",)
    )

    @hookimpl
    async def provider_qrcode(self, instance: Instance) -> Any:
        usual = Pairing(InstanceStatus.NEEDS_PAIRING, base64="data:image/png;base64,AAAA", code="2@first")
        return await self.steered.answer("qrcode", instance, usual)


class _Storage:
    """Enough of a storage to start."""

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo("storage_local", "a fake", is_storage=True)

    @hookimpl
    async def storage_put(self) -> None: ...

    @hookimpl
    def storage_open(self) -> None: ...

    @hookimpl
    async def storage_delete(self) -> None: ...


@dataclass(frozen=True)
class Entry:
    """Stands for an installed package's entry point."""

    name: str
    plugin: Any
    value: str = "elsehu.testing.steered"
    dist: None = None

    def load(self) -> Any:
        """Return the plugin."""
        return self.plugin


def found(steered: Steered) -> Mapping[str, Sequence[Any]]:
    """Return what `load_plugins` would find installed."""
    plugins = {"pairable": _Pairable(steered), "plain": _Plain(steered), "storage_local": _Storage()}
    return {name: [Entry(name, plugin)] for name, plugin in plugins.items()}
