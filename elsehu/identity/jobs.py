"""Periodic tasks of identity."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.identity import housekeeping
from elsehu.jobs import Job
from elsehu.kernel import Kernel


async def forget_sessions(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete sessions, tokens and answers to repeated requests that are long over."""
    await housekeeping.sweep(kernel)


JOBS: Sequence[Job] = (Job("identity.forget_sessions", forget_sessions, "7 * * * *", "low"),)
