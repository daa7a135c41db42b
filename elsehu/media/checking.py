"""Whether a storage works: asked before much is entrusted to it."""

from collections.abc import AsyncIterator

from elsehu.contracts.errors import Unavailable
from elsehu.contracts.storage import ByteRange
from elsehu.kernel import Kernel
from elsehu.media.objects import announce
from elsehu.media.types import OCTETS

PROBE = b"Elsehu asks whether this storage works."


async def check_storage(kernel: Kernel, storage: str) -> None:
    """Store, read and delete a small object. Raises Unavailable, which says what to do."""
    key = await announce(kernel, storage)
    await kernel.plugins.storage_put(key, _probe(), OCTETS, storage=storage)
    part = ByteRange(7, len(PROBE) - 1)
    try:
        read = b"".join([chunk async for chunk in kernel.plugins.storage_open(key, part, storage=storage)])
    except FileNotFoundError:
        read = b""
    await kernel.plugins.storage_delete(key, storage=storage)
    await kernel.db.execute("DELETE FROM unclaimed_objects WHERE key = $1", key)
    if read != PROBE[7:]:
        raise Unavailable("storage_failed", f"{storage} takes files but does not give the same back. Do not use it.")


async def _probe() -> AsyncIterator[bytes]:
    yield PROBE
