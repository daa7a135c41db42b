"""A provider whose customers send documents, and no more: its webhooks say where a document can be fetched."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from elsehu.plugin import (
    Accepted,
    Direction,
    Identity,
    IdentityKind,
    Instance,
    InstanceReport,
    InstanceStatus,
    Item,
    Kind,
    MediaContent,
    MessageArrived,
    NoConfig,
    Normalized,
    PluginContext,
    PluginInfo,
    ProviderSpec,
    WebhookRequest,
    hookimpl,
)


@hookimpl
def plugin_info() -> PluginInfo:
    spec = ProviderSpec("documents", credentials=NoConfig, settings=NoConfig, kinds=frozenset())
    return PluginInfo("documents", "Lets customers send documents, for tests.", provider=spec)


@hookimpl
def provider_receive(request: WebhookRequest, instances: Sequence[Instance]) -> Accepted:
    return Accepted(orjson.loads(request.body), instances)


@hookimpl
def provider_normalize(context: PluginContext, accepted: Accepted) -> Normalized:
    said: dict[str, Any] = accepted.payload
    media = MediaContent("application/pdf", "contract.pdf", size=said["size"], reference={"url": said["url"]})
    sender = [Identity(IdentityKind.PHONE, "5511977776666", "5511977776666")]
    message = MessageArrived(said["id"], Direction.INBOUND, sender, Kind.DOCUMENT, context.now(), media=media)
    return Normalized([Item(accepted.instances[0].id, message, said)], raw=said)


@hookimpl
async def provider_media(context: PluginContext, media: MediaContent) -> AsyncIterator[bytes]:
    async with context.http.stream("GET", media.reference["url"], timeout=60) as answer:
        async for chunk in answer.chunks():
            yield chunk


@hookimpl
async def provider_send() -> Any: ...


@hookimpl
async def provider_connect() -> InstanceReport:
    return InstanceReport(InstanceStatus.CONNECTED)


@hookimpl
async def provider_disconnect() -> InstanceReport:
    return InstanceReport(InstanceStatus.DISCONNECTED)


@hookimpl
async def provider_status() -> InstanceReport:
    return InstanceReport(InstanceStatus.CONNECTED)
