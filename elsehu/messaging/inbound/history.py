"""What did we miss? Asked of providers that remember, when a number connects again and now and then."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from elsehu.contracts.errors import ProviderError
from elsehu.contracts.inbound import Item, Normalized
from elsehu.db import Row
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

log = structlog.get_logger("elsehu.history")

OVERLAP = timedelta(minutes=10)
ABILITY = "history"

DUE = """
SELECT id, name FROM service_instances
WHERE is_active AND status = 'connected' AND (history_at IS NULL OR history_at < $1) ORDER BY history_at NULLS FIRST, id
"""
LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('history ' || $1::uuid::text, 0))"


class History:
    """Asks providers for what was missed, one process at a time for each number."""

    def __init__(self, kernel: Kernel, ingest: Ingest) -> None:
        self._kernel = kernel
        self._ingest = ingest

    async def due(self) -> Sequence[Row]:
        """Return the connected numbers (`id`, `name`) that were not asked for `[webhooks] history_minutes`."""
        every = timedelta(minutes=self._kernel.settings.webhooks.history_minutes)
        return await self._kernel.db.fetch(DUE, self._kernel.now() - every)

    async def catch_up(self, instance_id: UUID) -> None:
        """Do what `fetch_missed` does; a provider that cannot tell now is asked again later."""
        try:
            await self.fetch_missed(instance_id)
        except ProviderError as error:
            _unavailable(instance_id, error)

    async def fetch_missed(self, instance_id: UUID) -> None:
        """Ask for everything since the last time (with an overlap), and remember how far we are.

        Raises ProviderError.
        """
        row = await self._kernel.db.fetch_row(
            "SELECT coalesce(history_at, created_at) AS since FROM service_instances WHERE id = $1", instance_id
        )
        if row is None:
            return
        now = self._kernel.now()
        if await self._ask(instance_id, row["since"] - OVERLAP, now):
            await self._kernel.db.execute(
                "UPDATE service_instances SET history_at = $2 WHERE id = $1", instance_id, now
            )

    async def ask(self, instance_id: UUID, since: datetime, until: datetime) -> bool:
        """Ask for what happened between two times and apply it. Returns whether the provider could tell."""
        try:
            return await self._ask(instance_id, since, until)
        except ProviderError as error:
            _unavailable(instance_id, error)
            return False

    async def _ask(self, instance_id: UUID, since: datetime, until: datetime) -> bool:
        instance = await self._kernel.part(Directory).get(instance_id)
        if instance is None or not self._kernel.plugins.can(instance, ABILITY):
            return False
        async with self._kernel.db.transaction() as uow:
            if not await uow.fetch_value(LOCK, instance_id):
                return False
            async for items in self._kernel.plugins.history(instance, since, until):
                await self._apply(instance.provider, instance_id, items)
        return True

    async def _apply(self, provider: str, instance_id: UUID, items: Sequence[Item]) -> None:
        if items:
            normalized = Normalized(items=items, event_name="history")
            await self._ingest.submit(provider, normalized, instance_id, keeps_raw=False)


def _unavailable(instance_id: UUID, error: ProviderError) -> None:
    log.warning("history_unavailable", instance=str(instance_id), code=error.code)
