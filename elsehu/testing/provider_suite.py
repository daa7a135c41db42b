"""The conformance suite of provider plugins: what the kernel relies on, as checks that run against a stand-in.

A plugin declares what only its author can know (a `ProviderConformance`, found by the entry-point group
`elsehu.conformance`); `elsehu plugin check <name>` then runs the checks, and so does a test:

    async def test_it_conforms(services: Services, tmp_path: Path) -> None:
        await assert_conforms(Pigeon(), services, tmp_path)

docs/plugins.md tells how to write a declaration.
"""

from elsehu.testing.conformance.declaration import (
    Expected,
    Failure,
    Payload,
    ProviderConformance,
    Webhook,
    Written,
    expect,
)
from elsehu.testing.conformance.running import CHECKS, Check, Outcome, Result, assert_conforms, run_checks
from elsehu.testing.databases import Services
from elsehu.testing.serving import RunningServer, listen_on_loopback, running_server

__all__ = [
    "CHECKS",
    "Check",
    "Expected",
    "Failure",
    "Outcome",
    "Payload",
    "ProviderConformance",
    "Result",
    "RunningServer",
    "Services",
    "Webhook",
    "Written",
    "assert_conforms",
    "expect",
    "listen_on_loopback",
    "run_checks",
    "running_server",
]
