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

DUE = """
SELECT instance_id AS id FROM message_templates
WHERE instance_id IS NOT NULL AND synced_at IS NULL AND archived_at IS NULL
UNION
SELECT id FROM service_instances i
WHERE created_at > now() - interval '1 hour'
  AND NOT EXISTS (SELECT 1 FROM message_templates t WHERE t.instance_id = i.id)
"""


async def sync_all(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Sync the templates of every connected number."""
    await _sync(kernel, await _connected(kernel))


async def sync_due(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Sync numbers that are new, and those whose templates are to be read because of what webhooks said."""
    due: set[UUID] = {row["id"] for row in await kernel.db.fetch(DUE)}
    if due:
        await _sync(kernel, [one for one in await _connected(kernel) if one.id in due])


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
    Job("templates.sync_due", sync_due, "*/5 * * * *", "low"),
)
