"""Periodic tasks of realtime."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from elsehu.events import reading
from elsehu.jobs import Job
from elsehu.kernel import Kernel

SLACK = timedelta(hours=1)


async def purge_events(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete events that are older than anybody may resume from (`[realtime] resume_hours`).

    An event's time is that of its transaction's beginning, so a slow one looks older than it is: hence the slack.
    """
    before = kernel.now() - timedelta(hours=kernel.settings.realtime.resume_hours) - SLACK
    async with kernel.db.transaction() as uow:
        await reading.purge(uow, before)


JOBS: Sequence[Job] = (Job("realtime.purge_events", purge_events, "13 * * * *", "low"),)
