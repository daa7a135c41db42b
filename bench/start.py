"""Rows "start" and "memory": `elsehu serve` on a data directory that is there, and what an idle web process holds."""

import asyncio
import time
from collections.abc import Sequence

from bench import processes
from bench.place import Place, running_web
from bench.sizes import Sizes
from bench.table import Finding, alone

ROW = "start and memory"
IDLE_SECONDS = 5.0
FIRST_ADMIN = {"ELSEHU_ADMIN_EMAIL": "admin@example.com", "ELSEHU_ADMIN_PASSWORD": "correct horse battery"}


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure the seconds from the command to the first 200, and the memory of one idle `elsehu web`."""
    first = await _start(place)
    starts = [await _start(place) for _ in range(sizes.starts)]
    return [
        alone(ROW, "embedded start, initialised, to the first 200", "s", starts, "≤ 3 s"),
        alone(ROW, "the very first start, which makes the database", "s", [first]),
        alone(ROW, "one web process, idle", "MiB", [await _idle_mib(place)], "≤ 120 MiB"),
    ]


async def _start(place: Place) -> float:
    port = processes.free_port()
    own = {"ELSEHU_DATA_DIR": str(place.folder / "installation"), **FIRST_ADMIN}
    started = time.monotonic()
    async with processes.running(
        ["-m", "elsehu", "serve", "--port", str(port)], place.folder, own, log="serve.log"
    ) as process:
        await processes.answers(process, port)
        return time.monotonic() - started


async def _idle_mib(place: Place) -> float:
    async with running_web(place, await place.new_database()) as web:
        await asyncio.sleep(IDLE_SECONDS)
        return processes.resident_mib(web.pid)
