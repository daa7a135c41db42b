"""Periodic tasks of reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.exports.background import MAKE, UPKEEP
from elsehu.reporting.keeping import catch_up, update_hours


async def keep_up(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Work out the figures of what was closed, so that whoever reads a report need not wait for it."""
    hours = BusinessHours.of(kernel.settings.business_hours)
    await catch_up(kernel.db, hours)
    await update_hours(kernel.db, hours)


JOBS: Sequence[Job] = (Job("reporting.keep_up", keep_up, "*/5 * * * *", "low"), MAKE, UPKEEP)
