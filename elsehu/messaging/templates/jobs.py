"""Periodic tasks of templates."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.errors import ProviderError
from elsehu.contracts.instance import Instance, InstanceStatus
from elsehu.instances.directory import Directory
from elsehu.jobs import Job
from elsehu.kernel import Kernel
from elsehu.messaging.templates.owners import LIST
from elsehu.messaging.templates.syncing import sync

log = structlog.get_logger("elsehu.templates")

NOTED = """
SELECT DISTINCT instance_id FROM message_templates
WHERE instance_id IS NOT NULL AND synced_at IS NULL AND archived_at IS NULL
"""


async def sync_all(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Sync the templates of every connected number."""
    await _sync(kernel, await _connected(kernel))


async def sync_noted(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Sync numbers whose templates are to be read (again) because of what webhooks said."""
    noted: set[UUID] = {row["instance_id"] for row in await kernel.db.fetch(NOTED)}
    if noted:
        await _sync(kernel, [one for one in await _connected(kernel) if one.id in noted])


async def _connected(kernel: Kernel) -> list[Instance]:
    directory = Directory(kernel)
    names = [spec.name for spec in kernel.plugins.providers() if LIST in kernel.plugins.abilities(spec.name)]
    found = [one for name in names for one in await directory.of_provider(name)]
    return [one for one in found if one.is_active and one.status is InstanceStatus.CONNECTED]


async def _sync(kernel: Kernel, instances: Iterable[Instance]) -> None:
    """Sync one after the other; what goes wrong with one does not touch the others."""
    for instance in instances:
        try:
            await sync(kernel, instance)
        except ProviderError as error:
            log.warning("templates_not_synced", instance=str(instance.id), code=error.code, detail=error.detail)


JOBS: Sequence[Job] = (
    Job("templates.sync", sync_all, "7 */6 * * *", "low"),
    Job("templates.sync_noted", sync_noted, "*/5 * * * *", "low"),
)
