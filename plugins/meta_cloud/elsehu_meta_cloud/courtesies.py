"""What the customer sees beside messages: that theirs were read, and that somebody types. Best effort.

Meta shows both with one request about a message of the customer, so nobody types without having read, and typing ends
by itself after 25 seconds or with the next message (Meta Cloud API reference, section 4).
"""

from collections.abc import Sequence
from typing import Any

from elsehu.plugin import Instance, PluginContext, Quoted

from .client import graph_of, number_id

SHOWN_SECONDS = 20
TYPING = ("composing", "recording")


async def mark_read(context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
    """Show customers that `messages`, oldest first, were read: the last of a chat marks those before it too."""
    last = {one.chat_address: one.external_id for one in messages if not one.from_company}
    for external_id in last.values():
        await _tell(context, instance, external_id)


async def show_typing(context: PluginContext, instance: Instance, state: str, last: Quoted | None) -> None:
    """Show a customer that somebody types, which also marks `last`, their newest message, as read.

    There is no way to show it without one, none to stop it, and no need to repeat it while it is shown.
    """
    if state not in TYPING or last is None or last.from_company:
        return
    key = f"typing:{instance.id}:{last.external_id}"
    if await context.cache.get(key):
        return
    await context.cache.put(key, state, SHOWN_SECONDS)
    await _tell(context, instance, last.external_id, typing_indicator={"type": "text"})


async def _tell(context: PluginContext, instance: Instance, external_id: str, **more: Any) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": external_id, **more}
    await graph_of(context, instance).ask("POST", f"{number_id(instance)}/messages", body=body)
