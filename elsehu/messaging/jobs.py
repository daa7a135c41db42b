"""Periodic tasks of messaging."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.media import retention
from elsehu.messaging.contacts.importing.jobs import JOBS as IMPORTS
from elsehu.messaging.inbound.jobs import JOBS as INBOUND
from elsehu.messaging.messages.views import media_settled
from elsehu.messaging.stuck import SETTLE_STUCK
from elsehu.messaging.templates.jobs import JOBS as TEMPLATES


async def expire_files(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete files that were kept for `[media] retention_days`, if that is set, and tell of their messages."""
    days = kernel.settings.media.retention_days
    if days is not None:
        await retention.expire(kernel, kernel.now() - timedelta(days=days), media_settled)


JOBS: Sequence[Job] = (
    Job("messaging.expire_files", expire_files, "37 3 * * *", "low"),
    SETTLE_STUCK,
    *INBOUND,
    *IMPORTS,
    *TEMPLATES,
)
