"""Files on their way out: uploaded once for each number and content, then sent by Meta's id of them."""

import asyncio
from dataclasses import dataclass

from elsehu.plugin import Instance, OutboundMedia, PluginContext, Retryable, Upload

from .client import graph_of, number_id
from .names import base_type, file_name, upload_type

KEPT_SECONDS = 29 * 24 * 3600
"""Meta keeps an upload for 30 days (Meta Cloud API reference, section 8)."""
MOST_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Meta's id of a file. It may have been forgotten there where `is_remembered` only by us."""

    id: str
    is_remembered: bool


async def uploaded(context: PluginContext, instance: Instance, file: OutboundMedia) -> Uploaded:
    """Return Meta's id of `file`, which is uploaded unless it was before. Raises Retryable, Rejected, InstanceSick."""
    key = _key(instance, file)
    known = await context.cache.get(key) if key else None
    if known:
        return Uploaded(known, is_remembered=True)
    media_id = await _upload(context, instance, file)
    if key:
        await context.cache.put(key, media_id, KEPT_SECONDS)
    return Uploaded(media_id, is_remembered=False)


async def forget(context: PluginContext, instance: Instance, file: OutboundMedia) -> None:
    """Have `file` uploaded anew when it is sent next."""
    key = _key(instance, file)
    if key:
        await context.cache.drop(key)


async def _upload(context: PluginContext, instance: Instance, file: OutboundMedia) -> str:
    """Stream a file to Meta within the time that a send may take."""
    seconds = context.config.upload_timeout
    mime_type = upload_type(file)
    form = {"messaging_product": "whatsapp", "type": mime_type}
    upload = Upload(file_name(file), mime_type, file.size, file.stream)
    try:
        async with asyncio.timeout(seconds):
            answer = await graph_of(context, instance).upload(f"{number_id(instance)}/media", form, upload)
    except TimeoutError:
        raise _too_slow(seconds) from None
    media_id = answer.get("id")
    if not isinstance(media_id, str | int):
        raise Retryable("provider_error", "Meta took the file but did not say under which id. It is tried again.")
    return str(media_id)


def _too_slow(seconds: float) -> Retryable:
    detail = (
        f"The file could not be uploaded to Meta within {seconds:g} s. On a slow line raise [messaging] send_timeout, "
        "and [plugins.meta_cloud] upload_timeout below it."
    )
    return Retryable("media_upload_slow", detail, most_attempts=MOST_ATTEMPTS)


def _key(instance: Instance, file: OutboundMedia) -> str | None:
    """Return where the id is kept: an id belongs to the number that uploaded it."""
    return f"media:{number_id(instance)}:{file.sha256}:{base_type(file.mime_type)}" if file.sha256 else None
