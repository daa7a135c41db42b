"""Two providers that a test steers: `post` has templates and a window of 24 hours, `pigeon` has neither."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from elsehu.contracts.errors import ProviderError
from elsehu.plugin import (
    Accepted,
    Instance,
    InstanceReport,
    InstanceStatus,
    Kind,
    MediaLimit,
    NoConfig,
    Normalized,
    OutboundMessage,
    PluginInfo,
    ProviderSpec,
    ProviderTemplate,
    Sent,
    TemplateStatus,
    hookimpl,
)
from elsehu.plugins import installed
from elsehu.testing.steered import Entry

PAGE = 2


class _Provider:
    """The required hooks; what is sent is kept."""

    spec: ProviderSpec

    def __init__(self) -> None:
        self.sent: list[OutboundMessage] = []
        self.failures: list[ProviderError] = []

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(self.spec.name, "for tests", provider=self.spec)

    @hookimpl
    def provider_receive(self) -> Accepted:
        return Accepted({}, [])

    @hookimpl
    def provider_normalize(self) -> Normalized:
        return Normalized()

    @hookimpl
    async def provider_send(self, message: OutboundMessage) -> Sent:
        self.sent.append(message)
        return Sent(f"x{message.id}")

    @hookimpl
    async def provider_connect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)

    @hookimpl
    async def provider_disconnect(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.DISCONNECTED)

    @hookimpl
    async def provider_status(self) -> InstanceReport:
        return InstanceReport(InstanceStatus.CONNECTED)


class Pigeon(_Provider):
    """A provider without templates."""

    spec = ProviderSpec("pigeon", NoConfig, NoConfig, frozenset({Kind.TEXT, Kind.IMAGE}), max_text=200, max_caption=50)


def approved(template: ProviderTemplate) -> ProviderTemplate:
    """Return the usual answer: yes."""
    return replace(template, status=TemplateStatus.APPROVED)


@dataclass
class Account:
    """The templates at the provider by id, what it was asked, and how it answers."""

    templates: dict[str, ProviderTemplate] = field(default_factory=dict)
    saved: list[ProviderTemplate] = field(default_factory=list)
    failure: ProviderError | None = None
    breaks_off_after: int | None = None
    decide: Callable[[ProviderTemplate], ProviderTemplate] = approved
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, name: str, body: str = "hello", **more: Any) -> ProviderTemplate:
        """Have a template at the provider; return it."""
        values: dict[str, Any] = {"language": "pt_BR", "category": "UTILITY", "status": TemplateStatus.APPROVED}
        external_id = more.pop("external_id", f"id-{len(self.templates) + 1}")
        made = ProviderTemplate(name=name, body=body, external_id=external_id, **(values | more))
        self.templates[external_id] = made
        return made


class Post(_Provider):
    """A provider with templates."""

    spec = ProviderSpec(
        "post",
        NoConfig,
        NoConfig,
        frozenset({Kind.TEXT, Kind.IMAGE, Kind.DOCUMENT, Kind.TEMPLATE}),
        media_limits={Kind.IMAGE: MediaLimit(100, frozenset({"image/png"}))},
        window_hours=24.0,
    )

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()

    @hookimpl
    async def provider_templates(self, instance: Instance) -> AsyncIterator[Sequence[ProviderTemplate]]:
        account = self.account
        listed = list(account.templates.values())
        for start in range(0, len(listed) + 1, PAGE):
            if account.breaks_off_after is not None and start >= account.breaks_off_after:
                raise account.failure or AssertionError
            yield listed[start : start + PAGE]

    @hookimpl
    async def provider_save_template(self, template: ProviderTemplate) -> ProviderTemplate:
        account = self.account
        account.saved.append(template)
        if account.failure:
            raise account.failure
        external_id = template.external_id or f"id-{len(account.templates) + 1}"
        made = account.decide(replace(template, external_id=external_id))
        account.templates[external_id] = made
        return made

    @hookimpl
    async def provider_delete_template(self, template: ProviderTemplate) -> None:
        if self.account.failure:
            raise self.account.failure
        self.account.templates.pop(template.external_id or "", None)


def entries(*plugins: _Provider) -> Mapping[str, Sequence[Any]]:
    """Return what `load_plugins` would find installed."""
    return {**installed(), **{plugin.spec.name: [Entry(plugin.spec.name, plugin)] for plugin in plugins}}
