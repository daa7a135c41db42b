"""Which numbers are on WhatsApp (Evolution API reference, section 5). Asked gently: few at once, with pauses."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elsehu.plugin import Identity, Instance, PluginContext, canonical

from .client import server_of
from .flavours import mapping, text
from .identities import identity

BATCH = 50
PAUSE_SECONDS = 1.0
"""Each number that the server does not know yet is a question to WhatsApp, which takes many at once for spam."""


async def check(context: PluginContext, instance: Instance, phones: Sequence[str]) -> Mapping[str, Identity | None]:
    """Return the address of each phone that is on WhatsApp, and None of each that is not.

    What the server says nothing of is left out. Raises as `Server.ask` does.
    """
    found: dict[str, Identity | None] = {}
    for start in range(0, len(phones), BATCH):
        if start:
            await asyncio.sleep(PAUSE_SECONDS)
        asked = phones[start : start + BATCH]
        answer = await server_of(context, instance).ask("POST", "chat/whatsappNumbers", {"numbers": list(asked)})
        found |= {phone: verdict for phone, verdict in _verdicts(answer) if phone in asked}
    return found


def _verdicts(answer: Any) -> Iterator[tuple[str, Identity | None]]:
    """Yield what each row says of the number that it was asked of: their order is not that of the question."""
    for row in answer if type(answer) is list else ():
        said = mapping(row)
        number, exists, address = text(said.get("number")), said.get("exists"), identity(said.get("jid"))
        if number and exists is False:
            yield canonical(number), None
        elif number and exists is True and address:
            yield canonical(number), address
