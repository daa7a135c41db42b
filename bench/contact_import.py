"""Row "import": contacts out of a file of which a tenth are there twice, once without the ninth digit.

Counted is the whole `elsehu contacts import`, into an empty database: from the process's start to its end. Its memory
is its peak, and how much of that is more than a file of a hundredth takes.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import asyncpg

from bench import processes
from bench.place import SECRET_KEY, Place
from bench.sizes import Sizes
from bench.table import Finding, alone

ROW = "import"
KIB = 1024
AREAS = (11, 21, 31, 48, 61, 71, 81, 85)
COUNTS = """
SELECT i.status, i.total, i.created, i.updated, i.skipped, i.failed, (SELECT count(*) FROM contacts) AS contacts
FROM contact_imports i
"""


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure imports, each into a database of its own."""
    large, small = _file(place, sizes.contacts), _file(place, sizes.contacts // 100)
    _, base = await _imported(place, small, sizes.contacts // 100)
    rounds = [await _imported(place, large, sizes.contacts) for _ in range(sizes.imports)]
    rows = f"{sizes.contacts:,} rows"
    return [
        alone(ROW, rows, "s", [seconds for seconds, _ in rounds], f"≤ {15 * sizes.contacts / 100_000:g} s"),
        alone(ROW, "rows a second", "/s", [sizes.contacts / seconds for seconds, _ in rounds]),
        alone(ROW, "peak memory", "MiB", [memory for _, memory in rounds]),
        alone(ROW, "more than with a hundredth", "MiB", [memory - base for _, memory in rounds], "≤ 16 MiB"),
    ]


def _file(place: Place, count: int) -> Path:
    """Write a file as a shop's system would, of `count` rows in no order."""
    random = Random(count)  # the same people each time
    people = [(n, f"55{random.choice(AREAS)}", f"{random.randint(6, 9)}{n:07}") for n in range(count * 9 // 10)]
    rows = [(n, f"{area}9{number}") for n, area, number in people]
    rows += [(n, area + number) for n, area, number in random.sample(people, count - len(people))]
    random.shuffle(rows)
    path = place.folder / f"people-{count}.csv"
    with path.open("w", encoding="cp1252", newline="") as file:
        file.write("Nome;Celular;E-mail;Etiquetas;Cidade\r\n")
        for n, phone in rows:
            file.write(f'"Conceição, José {n}";+{phone};jose.{n}@example.com;"cliente,lote {n % 9}";São Paulo\r\n')
    return path


async def _imported(place: Place, file: Path, count: int) -> tuple[float, float]:
    """Return the seconds and the peak MiB of an import. Raises RuntimeError if it came to something wrong."""
    url = await place.new_database()
    own = {
        "DATABASE_URL": url,
        "REDIS_URL": place.services.redis_url,
        "ELSEHU_SECRET_KEY": SECRET_KEY,
        "ELSEHU_DATA_DIR": str(place.folder / "var"),
    }
    seconds, memory = await asyncio.to_thread(
        _run, ["-m", "elsehu", "contacts", "import", str(file)], place.folder, own
    )
    connection = await asyncpg.connect(url)
    found = tuple(await connection.fetchrow(COUNTS))
    await connection.close()
    created = count * 9 // 10
    if found != ("finished", count, created, 0, count - created, 0, created):
        raise RuntimeError(f"the import came to {found}")
    return seconds, memory


def _run(arguments: Sequence[str], folder: Path, own: dict[str, str]) -> tuple[float, float]:
    """Run `python <arguments>` to its end; returns how long it took, and the most memory that it had in MiB."""
    started = time.monotonic()
    with subprocess.Popen([sys.executable, *arguments], cwd=folder, env=processes.clean_environment(own)) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / KIB
