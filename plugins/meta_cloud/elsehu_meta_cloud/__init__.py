"""Meta's WhatsApp Cloud API for Elsehu: the plugin's hooks. What they do stands in the modules that they call."""

from collections.abc import AsyncIterator, Sequence

from elsehu.plugin import (
    Accepted,
    Challenge,
    Identity,
    Instance,
    InstanceReport,
    MediaContent,
    Normalized,
    OutboundMessage,
    PluginContext,
    PluginInfo,
    ProviderTemplate,
    Quoted,
    Sent,
    WebhookRequest,
    hookimpl,
)

from . import connecting, courtesies, normalize, receive, sending, templates
from .config import Config
from .limits import SPEC
from .media import fetch


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo("meta_cloud", "WhatsApp by way of Meta's Cloud API", config=Config, provider=SPEC)


@hookimpl
def provider_receive(
    request: WebhookRequest, instances: Sequence[Instance], siblings: Sequence[Instance]
) -> Accepted | Challenge:
    """Authenticate a webhook, or answer Meta's question who we are."""
    return receive.receive(request, instances, siblings)


@hookimpl
def provider_normalize(accepted: Accepted) -> Normalized:
    """Turn a webhook into events."""
    return normalize.normalize(accepted)


@hookimpl
async def provider_send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Send one message."""
    return await sending.send(context, instance, message)


@hookimpl
async def provider_connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Make a number ready."""
    return await connecting.connect(context, instance)


@hookimpl
async def provider_disconnect(context: PluginContext, instance: Instance, forget: bool) -> InstanceReport:
    """Have Meta send us nothing more of a number."""
    return await connecting.disconnect(context, instance, forget=forget)


@hookimpl
async def provider_status(context: PluginContext, instance: Instance) -> InstanceReport:
    """Ask how a number stands."""
    return await connecting.status(context, instance)


@hookimpl
def provider_media(context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
    """Fetch a file."""
    return fetch(context, instance, media)


@hookimpl
async def provider_mark_read(context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
    """Show that messages were read."""
    await courtesies.mark_read(context, instance, messages)


@hookimpl
async def provider_typing(
    context: PluginContext, instance: Instance, to: Sequence[Identity], state: str, last: Quoted | None
) -> None:
    """Show that somebody types, which also shows that the last message was read."""
    await courtesies.show_typing(context, instance, state, last)


@hookimpl
def provider_templates(context: PluginContext, instance: Instance) -> AsyncIterator[Sequence[ProviderTemplate]]:
    """List the account's templates."""
    return templates.pages(context, instance)


@hookimpl
async def provider_save_template(
    context: PluginContext, instance: Instance, template: ProviderTemplate
) -> ProviderTemplate:
    """Create or edit a template."""
    return await templates.save(context, instance, template)


@hookimpl
async def provider_delete_template(context: PluginContext, instance: Instance, template: ProviderTemplate) -> None:
    """Delete a template in one language."""
    await templates.delete(context, instance, template)
