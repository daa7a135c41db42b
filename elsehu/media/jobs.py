"""Periodic tasks of media."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.media import retention


async def expire_files(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete files that were kept for `[media] retention_days`, if that is set."""
    days = kernel.settings.media.retention_days
    if days is not None:
        await retention.expire(kernel, kernel.now() - timedelta(days=days))


async def sweep_objects(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete stored bytes that belong to no file."""
    await retention.remove_orphans(kernel)


JOBS: Sequence[Job] = (
    Job("media.expire_files", expire_files, "37 3 * * *", "low"),
    Job("media.sweep_objects", sweep_objects, "47 * * * *", "low"),
)
