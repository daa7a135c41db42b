"""What the customer sees beside messages: that theirs were read, and that somebody types. Best effort."""

from collections.abc import Sequence

from elsehu.plugin import Identity, Instance, PluginContext, Quoted

from .client import server_of
from .identities import USER
from .sending import jid_of, number_of

SHOWN_SECONDS = {"composing": 4.0, "recording": 4.0, "paused": 0.1}
"""How long Evolution shows each state; its answer comes after that, and it always ends with `paused`."""


async def mark_read(context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
    """Show customers that `messages` were read.

    Evolution passes silently over LIDs, and in groups it cannot name the author, so only messages under a
    phone are worth the request.
    """
    keys = [
        {"id": one.external_id, "remoteJid": jid_of(one.chat_address), "fromMe": False}
        for one in messages
        if one.chat_address and not one.from_company
    ]
    phones = [key for key in keys if str(key["remoteJid"]).endswith(USER)]
    if phones:
        await server_of(context, instance).ask("POST", "chat/markMessageAsRead", {"readMessages": phones})


async def show_typing(context: PluginContext, instance: Instance, to: Sequence[Identity], state: str) -> None:
    """Show a customer that somebody types, records, or has stopped."""
    seconds = SHOWN_SECONDS.get(state)
    if seconds is None:
        return
    server = server_of(context, instance)
    body = {"number": number_of(to), "presence": state, "delay": int(seconds * 1000)}
    await server.ask("POST", "chat/sendPresence", body, timeout=seconds + server.config.request_timeout)
