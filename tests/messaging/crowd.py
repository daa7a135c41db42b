"""Contacts in numbers, and messages to each of them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from elsehu.contracts.message import Kind
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.outbound.bulk import BulkMessage, queue_messages
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.lanes import open_lane, steer_lane

OWNER = "storage_local"
"""A plugin that is always enabled: of others, no lane sends."""

MAKE = """
WITH made AS (
    INSERT INTO contacts (id, name, profile_name, username, tags, custom, search_text, unreachable_reason, phone)
    SELECT id, 'customer ' || n, '', '', '{}', '{}', '', '', phone
    FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS c(id, phone, n)
)
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address)
SELECT gen_random_uuid(), id, 'phone', phone, '', phone FROM unnest($1::uuid[], $2::text[]) AS c(id, phone)
"""


async def crowd(kernel: Kernel, count: int) -> list[UUID]:
    """Make contacts with the phones 5511900000000 and on."""
    ids = [new_id() for _ in range(count)]
    await kernel.db.execute(MAKE, ids, [f"55119{n:08d}" for n in range(count)])
    return ids


async def lane(kernel: Kernel, number: UUID, **how: Any) -> UUID:
    """Make a lane of a number, and open it unless `how` says otherwise."""
    async with kernel.db.transaction() as uow:
        lane_id = await open_lane(uow, number, OWNER)
        await steer_lane(uow, lane_id, **({"is_open": True} | how))
    return lane_id


def bulk(contact_ids: Iterable[UUID], words: str = "Big sale!") -> list[BulkMessage]:
    """Return a message to each contact."""
    return [BulkMessage(new_id(), contact_id, Draft(Kind.TEXT, words)) for contact_id in contact_ids]


async def queue_bulk(kernel: Kernel, lane_id: UUID, messages: list[BulkMessage]) -> dict[UUID, str]:
    """Queue messages in a transaction of their own; returns the refusals."""
    async with kernel.db.transaction() as uow:
        return await queue_messages(uow, kernel, lane_id, messages, kernel.now())
