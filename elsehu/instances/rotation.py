"""Changing the secret key: everything that instances keep encrypted, anew with the newest key."""

from uuid import UUID

import structlog

from elsehu.instances.directory import SIGNAL
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.instances")

LOCK = "SELECT credentials, state, webhook_secret FROM service_instances WHERE id = $1 FOR NO KEY UPDATE"
WRITE = "UPDATE service_instances SET credentials = $2, state = $3, webhook_secret = $4 WHERE id = $1"


async def rotate_credentials(kernel: Kernel) -> list[UUID]:
    """Encrypt every instance's secrets with the newest key; return the instances that no configured key can read.

    Safe to repeat, and to run beside a working installation whose processes all have the newest key.
    """
    unreadable: list[UUID] = []
    for row in await kernel.db.fetch("SELECT id FROM service_instances ORDER BY id"):
        try:
            await _rotate(kernel, row["id"])
        except WrongSecretKey:
            log.error("instance_unreadable", instance=str(row["id"]))
            unreadable.append(row["id"])
    return unreadable


async def _rotate(kernel: Kernel, instance_id: UUID) -> None:
    async with kernel.db.transaction() as uow:
        sealed = await uow.fetch_row(LOCK, instance_id)
        if sealed is not None:
            await uow.execute(WRITE, instance_id, *(part and kernel.secrets.rotate(part) for part in sealed))
            uow.signal(SIGNAL)
