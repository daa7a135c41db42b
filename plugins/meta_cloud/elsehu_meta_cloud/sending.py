"""Handing one message to Meta."""

from elsehu.plugin import Instance, OutboundMessage, PluginContext, Rejected, Sent


async def send(context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
    """Refuse."""
    raise Rejected("unsupported_by_provider", "Not built yet.")
