"""What the tests of messaging share: a number, and an ingest that runs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from elsehu.background import running
from elsehu.contracts.inbound import Event, Item, MessageArrived, Normalized
from elsehu.contracts.message import Direction, Identity, IdentityKind, Kind
from elsehu.ids import new_id
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.phones import canonical

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def phone(digits: str) -> Identity:
    """Return a WhatsApp address by phone."""
    return Identity(IdentityKind.PHONE, canonical(digits), f"{digits}@s.whatsapp.net")


def lid(digits: str) -> Identity:
    """Return a WhatsApp address by LID."""
    return Identity(IdentityKind.LID, digits, f"{digits}@lid")


def text(external_id: str, words: str, *sender: Identity, seconds: float = 0, **more: Any) -> MessageArrived:
    """Return a customer's text message, `seconds` after noon."""
    values: dict[str, Any] = {
        "external_id": external_id,
        "direction": Direction.INBOUND,
        "sender": sender or (phone("5511988887777"),),
        "kind": Kind.TEXT,
        "at": NOON + timedelta(seconds=seconds),
        "text": words,
    }
    return MessageArrived(**(values | more))


@pytest.fixture
async def number(kernel: Kernel) -> UUID:
    """A connected number, in the database only."""
    instance_id = new_id()
    sealed = kernel.secrets.encrypt(orjson.dumps({}))
    await kernel.db.execute(
        "INSERT INTO service_instances (id, name, provider, status, credentials, state, webhook_secret, settings) "
        "VALUES ($1, $2, 'sandbox', 'connected', $3, $3, $4, '{}')",
        instance_id,
        f"number {instance_id}",
        sealed,
        kernel.secrets.encrypt(b"secret"),
    )
    return instance_id


@pytest.fixture
async def ingest(kernel: Kernel) -> AsyncIterator[Ingest]:
    """An ingest that runs."""
    kernel.provide(Directory, Directory(kernel))
    part = kernel.provide(Ingest, Ingest(kernel))
    async with running({"ingest": part.run}):
        yield part


async def deliver(ingest: Ingest, number: UUID, *events: Event) -> None:
    """Submit `events` as one webhook."""
    items = [Item(number, event) for event in events]
    await ingest.submit("sandbox", Normalized(items, raw={"n": len(events)}), number)
