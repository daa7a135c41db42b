"""The plugin: every hook of a provider, each a line or two; the subjects are in the other modules."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import click

from elsehu.plugin import (
    Accepted,
    Identity,
    IdentityKind,
    Instance,
    InstanceReport,
    InteractiveLimits,
    Item,
    Kind,
    MediaContent,
    NoConfig,
    Normalized,
    Operation,
    OutboundMessage,
    Pairing,
    PluginContext,
    PluginInfo,
    ProviderSpec,
    ProviderTemplate,
    Quoted,
    Sent,
    WebhookRequest,
    hookimpl,
    isoformat,
)
from elsehu_sandbox import connection, templates
from elsehu_sandbox.commands import sandbox_commands
from elsehu_sandbox.faults import MediaFault, take
from elsehu_sandbox.normalize import normalize, read_item, receive
from elsehu_sandbox.phone import phone_of, time_of, type_of
from elsehu_sandbox.routes import operations
from elsehu_sandbox.samples import sample
from elsehu_sandbox.sending import Sending
from elsehu_sandbox.settings import SandboxSettings, settings_of
from elsehu_sandbox.webhooks import Deliveries

PAGE = 200
SENDS = frozenset(Kind) - {Kind.SYSTEM, Kind.UNSUPPORTED}
ANY_HEADER = frozenset({"text", "image", "video", "document"})
INTERACTIVE = {
    "buttons": InteractiveLimits(headers=ANY_HEADER, max_choices=3),
    "list": InteractiveLimits(
        max_body=4096, headers=frozenset({"text"}), max_choices=10, max_sections=10, max_choice_title=24
    ),
    "link": InteractiveLimits(headers=ANY_HEADER),
    "flow": InteractiveLimits(headers=ANY_HEADER),
    "location_request": InteractiveLimits(),
    "contact_request": InteractiveLimits(),
}
"""As WhatsApp has them, so that what works here works there."""

HISTORY = frozenset({"message", "status", "edit", "delete", "reaction"})


class Sandbox:
    """A provider without a vendor."""

    def __init__(self) -> None:
        self._deliveries = Deliveries()
        self._sending = Sending(self._deliveries)
        self._resumed: set[UUID] = set()

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Say who we are."""
        spec = ProviderSpec(
            "sandbox", credentials=NoConfig, settings=SandboxSettings, kinds=SENDS, interactive=INTERACTIVE
        )
        return PluginInfo("sandbox", "A provider without a vendor, for trying Elsehu out and for tests", provider=spec)

    @hookimpl
    def register_routes(self) -> Sequence[Operation]:
        """Serve what only a sandbox can do."""
        return operations(self._deliveries)

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        """Offer the same on the command line."""
        return [sandbox_commands]

    @hookimpl
    def provider_receive(self, request: WebhookRequest, instances: Sequence[Instance]) -> Accepted:
        """Authenticate by the instance's secret."""
        return receive(request, instances)

    @hookimpl
    def provider_normalize(self, accepted: Accepted) -> Normalized:
        """Read the events."""
        return normalize(accepted)

    @hookimpl
    async def provider_send(self, context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
        """Put a message on the phone."""
        return await self._sending.send(context, instance, message)

    @hookimpl
    async def provider_connect(self, context: PluginContext, instance: Instance) -> InstanceReport:
        """Put the phone on the net, and go on with what a former process left to happen."""
        self._resume(context, instance)
        return connection.connect(context, instance, self._deliveries)

    def _resume(self, context: PluginContext, instance: Instance) -> None:
        if instance.id in self._resumed:
            return
        self._resumed.add(instance.id)
        now = context.now()
        lines = (line for _, line in phone_of(context, instance).read())
        ahead = [line for line in lines if time_of(line) > now and not line.get("silent")]
        self._deliveries.start(context, instance, ahead)

    @hookimpl
    async def provider_disconnect(self, context: PluginContext, instance: Instance, forget: bool) -> InstanceReport:
        """Take the phone off the net; with `forget` throw it away."""
        report = connection.log_out(context, instance)
        if forget:
            phone_of(context, instance).forget()
        return report

    @hookimpl
    async def provider_status(self, context: PluginContext, instance: Instance) -> InstanceReport:
        """Say how the number stands."""
        return connection.status_of(context, instance)

    @hookimpl
    async def provider_qrcode(self, context: PluginContext, instance: Instance) -> Pairing:
        """Show something to scan."""
        return connection.pairing(context, instance)

    @hookimpl
    async def provider_media(
        self, context: PluginContext, instance: Instance, media: MediaContent
    ) -> AsyncIterator[bytes]:
        """Make up the file, unless a fault is due."""
        phone = phone_of(context, instance)
        if phone.state().faults:
            with phone.changing() as state:
                fault = take(state.faults, MediaFault)
            if fault:
                raise fault.error()
        reference = media.reference
        for piece in sample(reference["mime_type"], reference["seed"], reference.get("size")):
            yield piece

    @hookimpl
    async def provider_history(
        self, context: PluginContext, instance: Instance, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[Item]]:
        """Tell what the phone remembers."""
        lines = phone_of(context, instance).between(since, min(until, context.now()))
        happened = [read_item(instance, line, is_history=True) for line in lines if type_of(line) in HISTORY]
        items = [one for one in happened if isinstance(one, Item)]
        for start in range(0, len(items), PAGE):
            yield items[start : start + PAGE]

    @hookimpl
    async def provider_mark_read(self, context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
        """Remember that the customer was shown blue ticks."""
        ids = [message.external_id for message in messages]
        phone_of(context, instance).write([{"type": "marked_read", "ids": ids, "at": isoformat(context.now())}])

    @hookimpl
    async def provider_typing(
        self, context: PluginContext, instance: Instance, to: Sequence[Identity], state: str
    ) -> None:
        """Remember that the customer saw somebody type."""
        line = {"type": "shown_typing", "to": [one.address for one in to], "state": state}
        phone_of(context, instance).write([{**line, "at": isoformat(context.now())}])

    @hookimpl
    async def provider_templates(
        self, context: PluginContext, instance: Instance
    ) -> AsyncIterator[Sequence[ProviderTemplate]]:
        """List the account's templates."""
        for page in templates.pages(context, instance):
            yield page

    @hookimpl
    async def provider_save_template(
        self, context: PluginContext, instance: Instance, template: ProviderTemplate
    ) -> ProviderTemplate:
        """Keep a template."""
        return templates.save(context, instance, template)

    @hookimpl
    async def provider_delete_template(
        self, context: PluginContext, instance: Instance, template: ProviderTemplate
    ) -> None:
        """Throw a template away."""
        templates.delete(context, instance, template)

    @hookimpl
    async def provider_check_numbers(self, instance: Instance, phones: Sequence[str]) -> Mapping[str, Identity | None]:
        """Everybody exists but those that the settings name."""
        has = settings_of(instance).has
        return {phone: Identity(IdentityKind.PHONE, phone, phone) if has(phone) else None for phone in phones}
