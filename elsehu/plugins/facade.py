"""The loaded plugins, and one typed method for each hook. No other module calls one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from elsehu.contracts.errors import ElsehuError, Unavailable
from elsehu.contracts.http import HttpClient
from elsehu.contracts.inbound import Item, MediaContent, Normalized
from elsehu.contracts.instance import Instance, InstanceReport, Pairing
from elsehu.contracts.message import Identity
from elsehu.contracts.outbound import OutboundMessage, Quoted, Sent
from elsehu.contracts.plugin import Cache, Forgetful, PluginContext, PluginInfo, ProviderSpec
from elsehu.contracts.report import ReportExporter
from elsehu.contracts.rules import Closing, Decision, Refusal, Snapshot
from elsehu.contracts.storage import ByteRange, StoredObject
from elsehu.contracts.template import ProviderTemplate
from elsehu.contracts.webhook import Accepted, Challenge, WebhookRequest

log = structlog.get_logger("elsehu.plugins")

NOTIFICATION_SECONDS = 10.0
ABILITY_HOOKS = {
    "provider_qrcode": "qrcode",
    "provider_media": "media",
    "provider_history": "history",
    "provider_mark_read": "mark_read",
    "provider_typing": "typing",
    "provider_templates": "templates",
    "provider_save_template": "save_template",
    "provider_delete_template": "delete_template",
    "provider_check_numbers": "check_numbers",
}


@dataclass(slots=True)
class Plugin:
    """One loaded plugin: what it says of itself, the hooks that it implements, and their context."""

    info: PluginInfo
    implementation: Any
    hooks: Mapping[str, Any]
    context: PluginContext

    def implements(self, hook: str) -> bool:
        """Whether the plugin implements `hook`."""
        return hook in self.hooks


@dataclass(slots=True)
class Plugins:
    """The loaded plugins, in the order of `elsehu.toml`, and one typed method for each hook."""

    loaded: Sequence[Plugin]
    storage_name: str
    failures: dict[str, int] = field(default_factory=dict)
    failed: Callable[[str, str], None] = lambda _plugin, _hook: None

    def bind(self, http: HttpClient, cache_of: Callable[[str], Cache] = lambda _: Forgetful()) -> None:
        """Give the plugins the open kernel's HTTP client, and each its cache."""
        for plugin in self.loaded:
            plugin.context = replace(plugin.context, http=http, cache=cache_of(plugin.info.name))

    def context(self, name: str) -> PluginContext:
        """Return the context of the plugin `name`, for its own routes and commands. Raises KeyError."""
        return {plugin.info.name: plugin.context for plugin in self.loaded}[name]

    # Providers: one plugin only ---------------------------------------------------------------------

    def provider(self, name: str) -> Plugin | None:
        """Return the plugin that provides `name` (or one of its webhook names), or None."""
        for plugin in self.loaded:
            spec = plugin.info.provider
            if spec and (spec.name == name or name in spec.webhook_names):
                return plugin
        return None

    def owner(self, instance: Instance) -> Plugin:
        """Return the plugin that owns `instance`. Raises ElsehuError `provider_not_enabled`."""
        plugin = self.provider(instance.provider)
        if plugin is None:
            raise ElsehuError(
                "provider_not_enabled",
                f"The provider {instance.provider!r} of this number is not enabled in elsehu.toml.",
            )
        return plugin

    def spec(self, provider: str) -> ProviderSpec | None:
        """Return what the provider `provider` says that it provides, or None if it is not enabled."""
        plugin = self.provider(provider)
        return plugin.info.provider if plugin else None

    def providers(self) -> list[ProviderSpec]:
        """Return what every enabled provider provides."""
        return [plugin.info.provider for plugin in self.loaded if plugin.info.provider]

    def abilities(self, provider: str) -> list[str]:
        """Return what a provider can do: its optional hooks, `send_<kind>` and `interactive_<type>`."""
        plugin = self.provider(provider)
        if plugin is None or plugin.info.provider is None:
            return []
        optional = [ability for hook, ability in ABILITY_HOOKS.items() if plugin.implements(hook)]
        spec = plugin.info.provider
        sends = [f"send_{kind}" for kind in spec.kinds] + [f"interactive_{name}" for name in spec.interactive]
        return sorted(optional + sends)

    def can(self, instance: Instance, ability: str) -> bool:
        """Whether the provider of `instance` has an ability."""
        return ability in self.abilities(instance.provider)

    def receive(
        self,
        plugin: Plugin,
        request: WebhookRequest,
        instances: Sequence[Instance],
        siblings: Sequence[Instance] | None = None,
    ) -> Accepted | Challenge:
        """Authenticate a webhook. `siblings` None: `instances` are all that there are. Raises WebhookRejected."""
        everyone = instances if siblings is None else siblings
        arguments = {"request": request, "instances": instances, "siblings": everyone}
        return _call(plugin, "provider_receive", **arguments)  # type: ignore[no-any-return]

    def normalize(self, plugin: Plugin, accepted: Accepted) -> Normalized:
        """Turn an authenticated payload into events."""
        return _call(plugin, "provider_normalize", accepted=accepted)  # type: ignore[no-any-return]

    async def send(self, instance: Instance, message: OutboundMessage) -> Sent:
        """Hand a message to the provider. Raises ProviderError."""
        answer = await _call(self.owner(instance), "provider_send", instance=instance, message=message)
        return answer  # type: ignore[no-any-return]

    async def connect(self, instance: Instance) -> InstanceReport:
        """Make a number ready at its provider. Raises ProviderError."""
        return await _call(self.owner(instance), "provider_connect", instance=instance)  # type: ignore[no-any-return]

    async def disconnect(self, instance: Instance, forget: bool = False) -> InstanceReport:
        """Log a number out, with `forget` also delete it at the provider. Raises ProviderError."""
        plugin = self.owner(instance)
        return await _call(plugin, "provider_disconnect", instance=instance, forget=forget)  # type: ignore[no-any-return]

    async def status(self, instance: Instance) -> InstanceReport:
        """Ask how a number stands at its provider. Raises ProviderError."""
        return await _call(self.owner(instance), "provider_status", instance=instance)  # type: ignore[no-any-return]

    async def qrcode(self, instance: Instance) -> Pairing:
        """Return what is to be scanned. Raises ProviderError."""
        return await _call(self.owner(instance), "provider_qrcode", instance=instance)  # type: ignore[no-any-return]

    def media(self, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
        """Fetch a file that a webhook referred to. Raises ProviderError while iterated."""
        return _call(self.owner(instance), "provider_media", instance=instance, media=media)  # type: ignore[no-any-return]

    def history(self, instance: Instance, since: datetime, until: datetime) -> AsyncIterator[Sequence[Item]]:
        """Ask what happened between two times. Raises ProviderError while iterated."""
        plugin = self.owner(instance)
        return _call(plugin, "provider_history", instance=instance, since=since, until=until)  # type: ignore[no-any-return]

    async def mark_read(self, instance: Instance, messages: Sequence[Quoted]) -> None:
        """Show the customer that messages were read. Raises ProviderError."""
        await _call(self.owner(instance), "provider_mark_read", instance=instance, messages=messages)

    async def typing(self, instance: Instance, to: Sequence[Identity], state: str, last: Quoted | None = None) -> None:
        """Show the customer that somebody types. Raises ProviderError."""
        await _call(self.owner(instance), "provider_typing", instance=instance, to=to, state=state, last=last)

    def templates(self, instance: Instance) -> AsyncIterator[Sequence[ProviderTemplate]]:
        """List the templates of a number's account. Raises ProviderError while iterated."""
        return _call(self.owner(instance), "provider_templates", instance=instance)  # type: ignore[no-any-return]

    async def save_template(self, instance: Instance, template: ProviderTemplate) -> ProviderTemplate:
        """Create or edit a template at the provider; returns what it became. Raises ProviderError."""
        plugin = self.owner(instance)
        return await _call(plugin, "provider_save_template", instance=instance, template=template)  # type: ignore[no-any-return]

    async def delete_template(self, instance: Instance, template: ProviderTemplate) -> None:
        """Delete one language of a template at the provider. Raises ProviderError."""
        await _call(self.owner(instance), "provider_delete_template", instance=instance, template=template)

    async def check_numbers(self, instance: Instance, phones: Sequence[str]) -> Mapping[str, Identity | None]:
        """Ask which of `phones` can be written to; what is missing in the answer is not known. Raises ProviderError."""
        plugin = self.owner(instance)
        return await _call(plugin, "provider_check_numbers", instance=instance, phones=phones)  # type: ignore[no-any-return]

    # Storage: the one chosen for what is new, the one named for what is there ------------------------

    def storages(self) -> list[str]:
        """Return the names of the enabled storages."""
        return [plugin.info.name for plugin in self.loaded if plugin.info.is_storage]

    def _storage(self, name: str | None = None) -> Plugin:
        for plugin in self.loaded:
            if plugin.info.is_storage and plugin.info.name == (name or self.storage_name):
                return plugin
        raise Unavailable(
            "storage_not_enabled",
            f"The file is kept in the storage {name!r}, which is not enabled. An admin must enable it.",
        )

    async def storage_put(
        self, key: str, chunks: AsyncIterator[bytes], mime_type: str, *, storage: str | None = None
    ) -> StoredObject:
        """Store a stream under `key`, whole or not at all."""
        plugin = self._storage(storage)
        return await _call(plugin, "storage_put", key=key, chunks=chunks, mime_type=mime_type)  # type: ignore[no-any-return]

    def storage_open(
        self, key: str, byte_range: ByteRange | None = None, *, storage: str | None = None
    ) -> AsyncIterator[bytes]:
        """Yield a stored object's bytes, or a range of them."""
        return _call(self._storage(storage), "storage_open", key=key, byte_range=byte_range)  # type: ignore[no-any-return]

    async def storage_delete(self, key: str, *, storage: str | None = None) -> None:
        """Delete a stored object."""
        await _call(self._storage(storage), "storage_delete", key=key)

    async def storage_url(
        self, key: str, disposition: str, mime_type: str, seconds: int, *, storage: str | None = None
    ) -> str | None:
        """Return a presigned URL that answers with these two headers, or None where the storage gives none."""
        plugin = self._storage(storage)
        if not plugin.implements("storage_url"):
            return None
        arguments = {"key": key, "disposition": disposition, "mime_type": mime_type, "seconds": seconds}
        return await _call(plugin, "storage_url", **arguments)  # type: ignore[no-any-return]

    # Rules: first answer wins ------------------------------------------------------------------------

    def tabulation_rules(self, closing: Closing) -> Refusal | None:
        """Return the first refusal of a closing, or None."""
        for plugin in self._implementing("tabulation_rules"):
            refusal: Refusal | None = _call(plugin, "tabulation_rules", closing=closing)
            if refusal is not None:
                return refusal
        return None

    def choose_operator(self, name: str, snapshot: Snapshot) -> Decision | None:
        """Return whom the plugin `name` chooses for a waiting conversation, or None."""
        for plugin in self._implementing("choose_operator"):
            if plugin.info.name == name:
                return _call(plugin, "choose_operator", snapshot=snapshot)  # type: ignore[no-any-return]
        return None

    # Registration ------------------------------------------------------------------------------------

    def exporters(self) -> dict[str, ReportExporter]:
        """Return the formats of reports by name."""
        return {exporter.name: exporter for _, exporter in self.registered("report_exporters")}

    def registered(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Return what every plugin registers by `hook` (`register_routes`, …), with its plugin."""
        return [(plugin, item) for plugin in self._implementing(hook) for item in _call(plugin, hook)]

    # Notifications -----------------------------------------------------------------------------------

    def listens(self, hook: str) -> bool:
        """Whether any plugin wants the notification `hook`."""
        return any(True for _ in self._implementing(hook))

    async def notify(self, hook: str, data: Mapping[str, Any], kernel: Any) -> None:
        """Tell every plugin, in order. A failure or a time-out is logged and counted; the next plugin goes on."""
        for plugin in self._implementing(hook):
            try:
                async with asyncio.timeout(NOTIFICATION_SECONDS):
                    await _call(plugin, hook, kernel=kernel, data=data)
            except Exception as error:
                name = plugin.info.name
                self.failures[name] = self.failures.get(name, 0) + 1
                self.failed(name, hook)
                log.exception("notification_failed", plugin=name, hook=hook, error=type(error).__name__)

    def _implementing(self, hook: str) -> Iterable[Plugin]:
        return (plugin for plugin in self.loaded if plugin.implements(hook))


def _call(plugin: Plugin, hook: str, **arguments: Any) -> Any:
    """Call one plugin's hook with the arguments that it takes."""
    implementation = plugin.hooks[hook]
    given = {"context": plugin.context, **arguments}
    return implementation.function(*[given[name] for name in implementation.argnames])
