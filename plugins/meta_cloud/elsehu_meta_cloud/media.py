"""Files."""

from collections.abc import AsyncIterator

from elsehu.plugin import Instance, MediaContent, PluginContext, Rejected


async def fetch(context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
    """Refuse."""
    raise Rejected("unsupported_by_provider", "Not built yet.")
    yield b""
