"""What the customer sees beside messages: that theirs were read, and that somebody types. Best effort."""

from collections.abc import Sequence

from elsehu.plugin import Instance, PluginContext, Quoted


async def mark_read(context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
    """Do nothing yet."""


async def show_typing(context: PluginContext, instance: Instance, state: str, last: Quoted | None) -> None:
    """Do nothing yet."""
