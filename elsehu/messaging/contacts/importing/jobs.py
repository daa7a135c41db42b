"""Imports in the background."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.errors import Unavailable
from elsehu.jobs import Job, enqueue
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.running import run

log = structlog.get_logger("elsehu.imports")

TURN_SECONDS = 10.0
"""How long an import is worked on before other jobs have a turn."""

LEFT_AFTER = timedelta(seconds=30)
KEPT = timedelta(days=30)

UNFINISHED = "SELECT id FROM contact_imports WHERE status IN ('queued', 'running') AND created_at < $1"
PURGE = "DELETE FROM contact_imports WHERE finished_at < $1"


async def import_contacts(kernel: Kernel, arguments: Mapping[str, Any]) -> None:
    """Do the import `import_id`, for a turn."""
    if not await run(kernel, UUID(arguments["import_id"]), seconds=TURN_SECONDS):
        await begin(kernel, UUID(arguments["import_id"]))


async def begin(kernel: Kernel, import_id: UUID) -> None:
    """Have an import done soon: where Redis is away, by `go_on` once it is back."""
    try:
        await enqueue(kernel, IMPORT, {"import_id": str(import_id)})
    except Unavailable as error:
        log.warning("import_waits_for_redis", id=str(import_id), error=error.code)


async def go_on(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Have imports done whose worker died. One that is being done takes no harm: its second worker sees that."""
    for row in await kernel.db.fetch(UNFINISHED, kernel.now() - LEFT_AFTER):
        await begin(kernel, row["id"])


async def purge(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Forget imports, and the rows of theirs that failed, after 30 days."""
    await kernel.db.execute(PURGE, kernel.now() - KEPT)


IMPORT = Job("messaging.import_contacts", import_contacts, queue="low")
JOBS: Sequence[Job] = (
    IMPORT,
    Job("messaging.go_on_with_imports", go_on, "* * * * *", "low"),
    Job("messaging.purge_imports", purge, "47 3 * * *", "low"),
)
