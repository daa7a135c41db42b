"""Row "conversation list": the newest 50 of very many, beside floor (b), the same SQL without a framework.

And beside itself on a tenth of the data: a page must cost the same however much there is.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any, cast

import asyncpg
import orjson

from bench.alternating import alternate
from bench.busy_desk import Size
from bench.driver import Plan, driven
from bench.filters import CALLERS, Desk, Overheard
from bench.place import Place, Web, filled, running_web
from bench.sizes import Sizes
from bench.table import Finding, alone, compared
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.listing import conversation_page
from elsehu.messaging.schemas import ConversationQuery

ROW = "conversation list"
PAGE = 50
CLIENTS = 16
TENTH = 10

Statement = tuple[str, Sequence[Any]]


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure the time of one list, one client; and how many a second 16 clients get."""
    url, small_url = await place.new_database(), await place.new_database()
    async with running_web(place, url) as web, running_web(place, small_url) as small:
        await filled(web, url, Size(sizes.conversations, sizes.messages_each))
        await filled(small, small_url, Size(sizes.conversations // TENTH, sizes.messages_each))
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
            to_floor = await alternate(sizes.rounds, lambda _: _listed(web, sizes), lambda _: _bare(pool, sizes))
        to_tenth = await alternate(sizes.rounds, lambda _: _listed(web, sizes), lambda _: _listed(small, sizes))
        rates = [(await driven(_plan(web, sizes, CLIENTS), 200)).rate for _ in range(sizes.rounds)]
    return [
        compared(ROW, f"{PAGE} of {sizes.conversations:,}, 1 client", "ms", to_floor, "≤ 2.0 × floor"),
        compared(ROW, "the same, beside a tenth of the data", "ms", to_tenth, "≤ 1.2 × tenth"),
        alone(ROW, f"lists, {CLIENTS} clients", "/s", rates),
    ]


def _plan(web: Web, sizes: Sizes, connections: int) -> Plan:
    path = f"/api/conversations?limit={PAGE}"
    return Plan(web.port, path, "GET", headers=web.headers, connections=connections, requests=sizes.lists)


async def _listed(web: Web, sizes: Sizes) -> float:
    """Return the median milliseconds of a list over HTTP."""
    return (await driven(_plan(web, sizes, 1), 200)).p50


async def _bare(pool: asyncpg.Pool, sizes: Sizes) -> float:
    """Return the median milliseconds of running the same statement and writing its rows as JSON."""
    sql, arguments = await _statement(pool)
    times: list[float] = []
    async with pool.acquire() as connection:
        for _ in range(sizes.lists):
            started = time.perf_counter()
            rows = await connection.fetch(sql, *arguments)
            orjson.dumps([dict(row) for row in rows], default=str)
            times.append((time.perf_counter() - started) * 1000)
    return median(times)


async def _statement(pool: asyncpg.Pool) -> Statement:
    """Return what Elsehu itself asks for an ADMIN's first page."""
    desk = Desk(Overheard(pool))
    await conversation_page(cast(Kernel, desk), CALLERS["admin"], ConversationQuery(limit=PAGE))
    return desk.db.last
