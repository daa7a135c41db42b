"""Calls of the disk: in a thread, with errors that an admin can act on."""

import asyncio
import errno
from collections.abc import Callable
from typing import Any, TypeVar

from elsehu.plugin import Unavailable

Result = TypeVar("Result")
Log = Callable[..., None]

BLOCK = 256 * 1024
"""How many bytes move between a thread and the event loop at once."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
RETRY_SECONDS = 60.0


async def on_disk(log: Log, call: Callable[..., Result], *arguments: Any) -> Result:
    """Return `call(*arguments)`, run in a thread.

    Raises FileNotFoundError as it is, and Unavailable (`storage_full`, `storage_failed`) for any other
    OSError, after logging the path and the reason, which callers of the API must not see.
    """
    try:
        return await asyncio.to_thread(call, *arguments)
    except FileNotFoundError:
        raise
    except OSError as error:
        log("disk_error", path=error.filename, reason=error.strerror, errno=error.errno)
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in NO_ROOM:
        return Unavailable(
            "storage_full",
            "The disk of the media storage is full, so the file was not stored. An admin must free space.",
            retry_after=RETRY_SECONDS,
        )
    return Unavailable(
        "storage_failed",
        "The disk of the media storage failed, so nothing was done. An admin finds the reason in the log.",
        retry_after=RETRY_SECONDS,
    )
