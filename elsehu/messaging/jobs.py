"""Periodic tasks of messaging."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.messaging.inbound import raw_events
from elsehu.messaging.templates.jobs import JOBS as TEMPLATES


async def purge_raw_events(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete raw webhooks that were kept for `[webhooks] raw_event_days`."""
    before = kernel.now() - timedelta(days=kernel.settings.webhooks.raw_event_days)
    async with kernel.db.transaction() as uow:
        await raw_events.purge(uow, before)


JOBS: Sequence[Job] = (Job("messaging.purge_raw_events", purge_raw_events, "23 * * * *", "low"), *TEMPLATES)
