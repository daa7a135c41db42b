"""Times every filter of the conversation list, for each role, on a busy desk. `--explain` shows the plan of one.

python -m bench.busy_desk postgresql://…
python -m bench.filters postgresql://… --explain queued
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any, cast

import asyncpg
import orjson

from bench.busy_desk import instance_id, tabulation_id, user_id
from elsehu.contracts.user import Caller, Role
from elsehu.db import Database, Row
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.listing import conversation_page
from elsehu.messaging.schemas import ConversationQuery
from elsehu.settings import Settings

ROUNDS = 20
CALLERS = {
    "admin": Caller(Role.ADMIN, user_id(50), "Admin"),
    "operator": Caller(Role.OPERATOR, user_id(7), "Operator"),
}
LONG_AGO = "2020-01-01T00:00:00Z"
QUERIES: dict[str, dict[str, str]] = {
    "none": {},
    "queued": {"status": "queued"},
    "assigned": {"status": "assigned"},
    "closed": {"status": "closed"},
    "mine": {"assignedTo": "me"},
    "my inbox": {"assignedTo": "me", "status": "assigned"},
    "nobody's closed": {"assignedTo": "none", "status": "closed"},
    "a colleague's": {"assignedTo": str(user_id(3))},
    "busy number": {"serviceInstanceId": str(instance_id(1))},
    "quiet number": {"serviceInstanceId": str(instance_id(5))},
    "quiet number, queued": {"serviceInstanceId": str(instance_id(5)), "status": "queued"},
    "common tabulation": {"tabulationId": str(tabulation_id(1))},
    "rare tabulation": {"tabulationId": str(tabulation_id(7))},
    "common tag": {"tag": "vip"},
    "rare tag": {"tag": "rare"},
    "from": {"from": LONG_AGO},
    "to": {"to": LONG_AGO},
    "common name": {"search": "maria"},
    "common names": {"search": "maria silva"},
    "one person": {"search": "íris zé 58"},
    "two letters": {"search": "ze"},
    "part of a phone": {"search": "8888-7"},
    "nobody": {"search": "zzzz"},
    "common name, queued": {"search": "maria", "status": "queued"},
}


@dataclass
class Overheard(Database):
    """A database that remembers the last statement."""

    pool: asyncpg.Pool
    last: tuple[str, tuple[Any, ...]] = ("", ())

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        """Run `sql` and remember it."""
        self.last = (sql, arguments)
        return await super().fetch(sql, *arguments)


@dataclass(frozen=True)
class Desk:
    """As much of a kernel as the list looks at."""

    db: Overheard
    settings: Settings = field(default_factory=Settings)


async def timed(desk: Desk, caller: Caller, query: ConversationQuery) -> tuple[float, int]:
    """Return the median milliseconds of a page as JSON, and its length."""
    times: list[float] = []
    page: dict[str, Any] = {}
    for _ in range(ROUNDS):
        started = time.perf_counter()
        page = await conversation_page(cast(Kernel, desk), caller, query)
        orjson.dumps(page)
        times.append((time.perf_counter() - started) * 1000)
    return median(times), len(page["items"])


async def explain(desk: Desk) -> None:
    """Print the plan of the last statement."""
    sql, arguments = desk.db.last
    for row in await desk.db.pool.fetch("EXPLAIN (ANALYZE, BUFFERS) " + sql, *arguments):
        print("   ", row[0])


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.filters", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="of a database that bench.busy_desk filled")
    parser.add_argument("--explain", choices=QUERIES, help="show the plans of this filter only")
    options = parser.parse_args()
    async with asyncpg.create_pool(options.url, min_size=1, max_size=1) as pool:
        desk = Desk(Overheard(pool))
        for name in [options.explain] if options.explain else QUERIES:
            query = ConversationQuery.model_validate_strings(QUERIES[name])
            for role, caller in CALLERS.items():
                milliseconds, rows = await timed(desk, caller, query)
                print(f"{name:22}{role:10}{rows:4} rows {milliseconds:7.2f} ms")
                if options.explain:
                    await explain(desk)


if __name__ == "__main__":
    asyncio.run(_main())
