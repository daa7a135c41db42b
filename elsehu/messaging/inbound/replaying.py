"""Applying stored webhooks again, after a fix: everything is idempotent, so that only what was missing is added."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import orjson

from elsehu.contracts.inbound import CustomerTyping, InstanceChanged
from elsehu.contracts.instance import Instance
from elsehu.contracts.webhook import Accepted
from elsehu.db import Row
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.plugins import Plugin
from elsehu.tasks import end

FIND = """
SELECT id, provider, instance_id, event_name, body, received_at FROM webhook_events
WHERE ($1::bigint[] IS NULL OR id = ANY($1)) AND ($2::timestamptz IS NULL OR received_at >= $2)
  AND ($3::text IS NULL OR provider = $3) AND ($4::uuid IS NULL OR instance_id = $4) AND id > $5
ORDER BY id LIMIT 200
"""
COUNT = """
SELECT count(*) FROM webhook_events
WHERE ($1::bigint[] IS NULL OR id = ANY($1)) AND ($2::timestamptz IS NULL OR received_at >= $2)
  AND ($3::text IS NULL OR provider = $3) AND ($4::uuid IS NULL OR instance_id = $4)
"""
OF_THE_MOMENT = (InstanceChanged, CustomerTyping)
"""What was so when it was told, and need not be so now."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which stored webhooks: all that fit every condition given."""

    ids: Sequence[int] | None = None
    since: datetime | None = None
    provider: str | None = None
    instance_id: UUID | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """The conditions, as FIND and COUNT take them."""
        return self.ids, self.since, self.provider, self.instance_id


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one: how many events were applied again, and what could not be read, in words."""

    id: int
    applied: int
    troubles: Sequence[str] = ()


async def count(kernel: Kernel, choice: Choice) -> int:
    """Return how many webhooks are stored of those chosen."""
    found: int = await kernel.db.fetch_value(COUNT, *choice.arguments)
    return found


async def replay(kernel: Kernel, choice: Choice) -> AsyncIterator[Replayed]:
    """Apply the chosen webhooks again, oldest first, each committed when it is yielded.

    The kernel must be one without a server of its own. Raises Unavailable while something is away.
    """
    async with _ingest(kernel):
        last = 0
        while rows := await kernel.db.fetch(FIND, *choice.arguments, last):
            for row in rows:
                yield await _again(kernel, row)
            last = rows[-1]["id"]


@asynccontextmanager
async def _ingest(kernel: Kernel) -> AsyncIterator[None]:
    kernel.provide(Directory, Directory(kernel))
    tasks = [asyncio.create_task(kernel.provide(Ingest, Ingest(kernel)).run())]
    try:
        yield
    finally:
        await end(tasks)


async def _again(kernel: Kernel, row: Row) -> Replayed:
    plugin = kernel.plugins.provider(row["provider"])
    if plugin is None:
        return Replayed(row["id"], 0, [f"the provider {row['provider']} is not enabled"])
    accepted = Accepted(orjson.loads(row["body"]), await _instances(kernel, plugin, row["instance_id"]))
    normalized = kernel.plugins.normalize(plugin, accepted)
    items = [item for item in normalized.items if not isinstance(item.event, OF_THE_MOMENT)]
    lasting = replace(normalized, items=items, broken=())
    await kernel.part(Ingest).submit(row["provider"], lasting, row["instance_id"], keeps_raw=False)
    return Replayed(row["id"], len(items), [broken.error for broken in normalized.broken])


async def _instances(kernel: Kernel, plugin: Plugin, instance_id: UUID | None) -> Sequence[Instance]:
    directory = kernel.part(Directory)
    if instance_id is None:
        assert plugin.info.provider is not None
        return await directory.of_provider(plugin.info.provider.name)
    instance = await directory.get(instance_id)
    return [instance] if instance else []
