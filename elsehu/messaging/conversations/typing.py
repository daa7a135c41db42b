"""Who is typing: told to those who look, never stored."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.errors import ElsehuError
from elsehu.contracts.inbound import CustomerTyping
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.contracts.outbound import Quoted
from elsehu.contracts.user import Caller
from elsehu.db import CONNECTION_LOST
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey
from elsehu.tasks import together

log = structlog.get_logger("elsehu.typing")

CHANNEL = "elsehu.typing"
MOST_WAITING = 100
WORKERS = 2
PROVIDER_SECONDS = 5.0
ADDRESSES = """
SELECT kind, value, address, scope FROM contact_identities WHERE contact_id = $1
ORDER BY last_seen_at DESC, kind DESC
"""
LAST_INBOUND = """
SELECT m.external_id, m.text FROM conversations c JOIN messages m ON m.conversation_id = c.id
WHERE c.contact_id = $1 AND c.instance_id = $2 AND c.status <> 'closed' AND m.direction = 'INBOUND'
ORDER BY m.at DESC, m.seq DESC LIMIT 1
"""
OPEN_CONVERSATION = """
SELECT c.id FROM unnest($1::text[], $2::text[], $3::text[]) AS k(kind, value, scope)
JOIN contact_identities i ON i.kind = k.kind AND i.value = k.value AND i.scope = k.scope
JOIN conversations c ON c.contact_id = i.contact_id AND c.instance_id = $4 AND c.status <> 'closed'
LIMIT 1
"""


async def tell_typing(kernel: Kernel, instance_id: UUID, event: CustomerTyping) -> None:
    """Tell who looks at the customer's open conversation that they type (or have stopped)."""
    kinds = [one.kind for one in event.sender]
    values = [one.value for one in event.sender]
    scopes = [one.scope for one in event.sender]
    conversation_id = await kernel.db.fetch_value(OPEN_CONVERSATION, kinds, values, scopes, instance_id)
    if conversation_id is not None:
        data = {"conversationId": str(conversation_id), "state": event.state, "from": "customer"}
        await kernel.bus.publish(CHANNEL, data)


async def tell_operator_typing(kernel: Kernel, caller: Caller, view: Mapping[str, Any], state: str) -> None:
    """Tell who looks at a conversation (its REST shape) that an operator types there; the customer, if it is theirs."""
    user = {"id": str(caller.user_id), "name": caller.name}
    hint = {"conversationId": view["id"], "state": state, "from": "operator", "user": user}
    await kernel.bus.publish(CHANNEL, hint)
    if caller.sees_all or (view["assignedTo"] or {}).get("id") == user["id"]:
        kernel.part(TypingNotices).tell(Notice(UUID(view["serviceInstance"]["id"]), UUID(view["contact"]["id"]), state))


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody types to a contact on a number."""

    instance_id: UUID
    contact_id: UUID
    state: str


class TypingNotices:
    """Shows customers that somebody types, in the background and at best: what fails or waits too long is gone."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(MOST_WAITING)

    def tell(self, notice: Notice) -> None:
        """Have the provider show `notice`."""
        with suppress(asyncio.QueueFull):
            self._queue.put_nowait(notice)

    async def run(self) -> None:
        """Tell until cancelled."""
        await together(*(self._work() for _ in range(WORKERS)))

    async def _work(self) -> None:
        while True:
            await self._tell(await self._queue.get())

    async def _tell(self, notice: Notice) -> None:
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                await self._show(notice)
        except (ElsehuError, WrongSecretKey, *CONNECTION_LOST) as error:
            log.info("typing_not_shown", instance=str(notice.instance_id), error=type(error).__name__)
        except Exception:  # a plugin's own bug
            log.exception("typing_broke", instance=str(notice.instance_id))

    async def _show(self, notice: Notice) -> None:
        instance = await self._kernel.part(Directory).get(notice.instance_id)
        if instance is None or not instance.is_active or not self._kernel.plugins.can(instance, "typing"):
            return
        rows = await self._kernel.db.fetch(ADDRESSES, notice.contact_id)
        to = [Identity(IdentityKind(row["kind"]), row["value"], row["address"], row["scope"]) for row in rows]
        last = await self._kernel.db.fetch_row(LAST_INBOUND, notice.contact_id, notice.instance_id)
        quoted = Quoted(last["external_id"], from_company=False, text=last["text"]) if last else None
        await self._kernel.plugins.typing(instance, to, notice.state, quoted)
