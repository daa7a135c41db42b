"""Customers for tests: a number that they write to, and what they write."""

from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import ConsentChanged, Item, MessageArrived, Normalized
from elsehu.contracts.message import Direction, Identity, IdentityKind, Kind
from elsehu.ids import new_token
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.phones import canonical
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


async def add_number(admin: ApiClient, name: str | None = None) -> UUID:
    """Add a sandbox number through the API and return its id."""
    body = {"name": name or f"Shop {new_token(4)}", "phone": "+5511955550000", "provider": "sandbox", "credentials": {}}
    answer = await admin.post("/api/service-instances", body)
    answer.raise_for_status()
    return UUID(answer.json()["id"])


def address(digits: str) -> Identity:
    """Return the address of a phone, spelled as a provider does."""
    return Identity(IdentityKind.PHONE, canonical(digits), f"{digits}@s.whatsapp.net")


async def customer_writes(
    server: RunningServer, number: UUID, digits: str, words: str = "hello", *, at: datetime | None = None, **more: Any
) -> UUID:
    """Let a customer's message arrive, as if by webhook; return the id of its conversation once it is committed."""
    values: dict[str, Any] = {
        "external_id": new_token(8),
        "direction": Direction.INBOUND,
        "sender": (address(digits),),
        "kind": Kind.TEXT,
        "at": at or server.kernel.now(),
        "text": words,
    }
    event = MessageArrived(**(values | more))
    await server.kernel.part(Ingest).submit("sandbox", Normalized([Item(number, event)], raw={}), number)
    found = "SELECT conversation_id FROM messages WHERE instance_id = $1 AND external_id = $2"
    conversation_id: UUID = await server.kernel.db.fetch_value(found, number, event.external_id)
    return conversation_id


async def customer_decides(server: RunningServer, number: UUID, digits: str, *, accepts: bool) -> None:
    """Let the provider tell, as if by webhook, whether a customer wants marketing."""
    event = ConsentChanged((address(digits),), accepts=accepts, at=server.kernel.now())
    await server.kernel.part(Ingest).submit("sandbox", Normalized([Item(number, event)], raw={}), number)
