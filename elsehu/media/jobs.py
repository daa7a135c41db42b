"""Periodic tasks of media."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.media import retention


async def sweep_objects(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete stored bytes that belong to no file."""
    await retention.remove_orphans(kernel)


JOBS: Sequence[Job] = (Job("media.sweep_objects", sweep_objects, "47 * * * *", "low"),)
