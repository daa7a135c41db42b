"""Files that a webhook only referred to (Evolution API reference, section 5)."""

import base64
import binascii
from collections.abc import AsyncIterator, Iterator

from elsehu.plugin import Instance, InstanceSick, MediaContent, PluginContext, Rejected, Retryable

from .client import server_of
from .flavours import Json, mapping, text
from .parts import id_of

PIECE = 4 * 65_536
"""Letters of base64 decoded at once; a multiple of four."""

NO_MEDIA = "not of the media type"
SERVER_IS_AWAY = ("provider_unreachable", "provider_unavailable")


async def fetch(context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
    """Yield a file's bytes.

    Raises Retryable while it may still come: a file that WhatsApp has dropped looks like a failed download, so
    only who counts the tries can tell that it is gone. Raises Rejected where there is no file, and InstanceSick
    where number or server are away, which says nothing about the file.
    """
    key = mapping(media.reference.get("key"))
    message_id = id_of(key)
    if message_id is None:
        raise Rejected("media_unreferenced", "Nothing is known that would fetch this file.")
    answer = await _ask(context, instance, message_id)
    encoded = text(answer.get("base64"))
    if encoded is None:
        raise _not_yet("the answer has no file")
    try:
        for piece in _decoded(encoded):
            yield piece
    except (binascii.Error, ValueError):
        raise _not_yet("the answer is no base64") from None


async def _ask(context: PluginContext, instance: Instance, message_id: str) -> Json:
    server = server_of(context, instance)
    body = {"message": {"key": {"id": message_id}}, "convertToMp4": False}
    timeout = server.config.media_timeout
    try:
        return mapping(await server.ask("POST", "chat/getBase64FromMediaMessage", body, timeout=timeout))
    except Rejected as error:
        if NO_MEDIA in error.detail:
            raise Rejected("media_missing", "Evolution says that this message has no file.") from None
        raise _not_yet(error.detail) from None
    except Retryable as error:
        if error.code in SERVER_IS_AWAY:
            raise InstanceSick(error.code, error.detail) from None
        raise


def _not_yet(why: str) -> Retryable:
    return Retryable("media_unavailable", f"The file could not be fetched: {why}")


def _decoded(encoded: str) -> Iterator[bytes]:
    bare = encoded.rpartition(",")[2]
    for start in range(0, len(bare), PIECE):
        yield base64.b64decode(bare[start : start + PIECE], validate=True)
