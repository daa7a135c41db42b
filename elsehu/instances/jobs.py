"""Periodic tasks of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from elsehu.instances.asking import apply, ask
from elsehu.instances.connecting import usable
from elsehu.instances.directory import Directory
from elsehu.instances.each import for_each
from elsehu.instances.locks import exclusive
from elsehu.jobs import Job
from elsehu.kernel import Kernel

CONNECTED = """
SELECT id, name FROM service_instances WHERE is_active AND keep_connected AND status = 'connected' ORDER BY id
"""


async def check_webhooks(kernel: Kernel, _: Mapping[str, Any]) -> str:
    """Have the providers of all connected numbers look whether their webhooks still lead here, and set them anew.

    That is what connecting does; for a number that is connected it changes nothing else.
    """
    kernel.provide(Directory, Directory(kernel))

    async def check(instance_id: UUID) -> None:
        async with exclusive(kernel, instance_id):
            report = await ask(kernel, await usable(kernel, instance_id), kernel.plugins.connect)
            await apply(kernel, instance_id, report)

    return await for_each(await kernel.db.fetch(CONNECTED), check)


JOBS: Sequence[Job] = (Job("instances.check_webhooks", check_webhooks, "29 * * * *", "low"),)
