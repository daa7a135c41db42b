"""Periodic tasks of what comes in: asking for what was missed, telling of what could not be applied."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from elsehu.instances.directory import Directory
from elsehu.instances.each import for_each
from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.messaging.inbound import raw_events
from elsehu.messaging.inbound.history import History
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.tasks import end

DEAD = """
SELECT provider, count(*) AS parts, min(created_at) AS since FROM dead_letters WHERE resolved_at IS NULL
GROUP BY provider ORDER BY provider
"""


async def catch_up(kernel: Kernel, _: Mapping[str, Any]) -> str:
    """Ask the providers of connected numbers for what we missed, where `[webhooks] history_minutes` are over."""
    kernel.provide(Directory, Directory(kernel))
    ingest = kernel.provide(Ingest, Ingest(kernel))
    history = History(kernel, ingest)
    committing = asyncio.create_task(ingest.run())
    try:
        return await for_each(await history.due(), history.fetch_missed)
    finally:
        await end([committing])


async def report_dead_letters(kernel: Kernel, _: Mapping[str, Any]) -> str:
    """Tell how many parts of webhooks wait for somebody to look at them, and since when."""
    found = [
        f"{row['parts']} of {row['provider']} since {row['since']:%Y-%m-%d %H:%M} UTC"
        for row in await kernel.db.fetch(DEAD)
    ]
    return f"{', '.join(found)}: see `elsehu webhooks list --dead`" if found else "none"


async def purge_raw_events(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete raw webhooks that were kept for `[webhooks] raw_event_days`."""
    before = kernel.now() - timedelta(days=kernel.settings.webhooks.raw_event_days)
    async with kernel.db.transaction() as uow:
        await raw_events.purge(uow, before)


JOBS: Sequence[Job] = (
    Job("messaging.catch_up", catch_up, "*/5 * * * *", "low"),
    Job("messaging.report_dead_letters", report_dead_letters, "19 * * * *", "low"),
    Job("messaging.purge_raw_events", purge_raw_events, "23 * * * *", "low"),
)
