"""Evolution API (WhatsApp) for Elsehu: the plugin's hooks. What they do stands in the modules that they call."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from elsehu.plugin import (
    Accepted,
    Identity,
    Instance,
    InstanceReport,
    Item,
    MediaContent,
    Normalized,
    OutboundMessage,
    Pairing,
    PluginContext,
    PluginInfo,
    Quoted,
    Sent,
    WebhookRequest,
    hookimpl,
)

from . import courtesies, history, lifecycle, normalize, numbers, pairing, receive, sending
from .config import SPEC, Config
from .media import fetch


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    summary = "WhatsApp by way of an Evolution API server, 2.2 or later"
    return PluginInfo("evolution", summary, config=Config, provider=SPEC)


@hookimpl
def provider_receive(request: WebhookRequest, instances: Sequence[Instance]) -> Accepted:
    """Authenticate a webhook."""
    return receive.receive(request, instances)


@hookimpl
def provider_normalize(context: PluginContext, accepted: Accepted) -> Normalized:
    """Turn a webhook into events."""
    return normalize.normalize(accepted, context.now)


@hookimpl
async def provider_send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Send one message."""
    return await sending.send(context, instance, message)


@hookimpl
async def provider_connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Make a number ready."""
    return await lifecycle.connect(context, instance)


@hookimpl
async def provider_disconnect(context: PluginContext, instance: Instance, forget: bool) -> InstanceReport:
    """Log a number out."""
    return await lifecycle.disconnect(context, instance, forget=forget)


@hookimpl
async def provider_status(context: PluginContext, instance: Instance) -> InstanceReport:
    """Ask how a number stands."""
    return await lifecycle.status(context, instance)


@hookimpl
async def provider_qrcode(context: PluginContext, instance: Instance) -> Pairing:
    """Return what is to be scanned."""
    return await pairing.qrcode(context, instance)


@hookimpl
def provider_media(context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
    """Fetch a file."""
    return fetch(context, instance, media)


@hookimpl
def provider_history(
    context: PluginContext, instance: Instance, since: datetime, until: datetime
) -> AsyncIterator[Sequence[Item]]:
    """Ask what was missed."""
    return history.history(context, instance, since, until)


@hookimpl
async def provider_mark_read(context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
    """Show that messages were read."""
    await courtesies.mark_read(context, instance, messages)


@hookimpl
async def provider_typing(context: PluginContext, instance: Instance, to: Sequence[Identity], state: str) -> None:
    """Show that somebody types."""
    await courtesies.show_typing(context, instance, to, state)


@hookimpl
async def provider_check_numbers(
    context: PluginContext, instance: Instance, phones: Sequence[str]
) -> Mapping[str, Identity | None]:
    """Say which numbers are on WhatsApp."""
    return await numbers.check(context, instance, phones)
