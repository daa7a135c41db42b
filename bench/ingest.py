"""Row "ingest": complete webhooks into one web process, beside floor (a)."""

import time
from collections.abc import Sequence
from dataclasses import replace

from bench.alternating import alternate
from bench.driver import Outcome, Plan, driven
from bench.evolution import connected_number, customers, webhook_body
from bench.floors import running_floor
from bench.place import Place, running_web
from bench.sizes import Sizes
from bench.table import Finding, compared

ROW = "ingest"
COUNT = "SELECT count(*) FROM messages"


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure webhooks a second and their 99th percentile, 64 connections."""
    url = await place.new_database()
    async with (
        running_web(place, url) as web,
        connected_number(place, web) as evolution,
        running_floor(place, url) as floor_port,
    ):
        plan = Plan(
            web.port,
            evolution.webhook_path,
            body=webhook_body(),
            headers=evolution.webhook_headers,
            values=customers(sizes.customers),
            clock=int(time.time()) - 6 * 3600,
            requests=sizes.webhooks,
        )
        pairs = await _alternated(plan, replace(plan, port=floor_port, path="/floor"), sizes)
        stored, sent = await web.kernel.db.fetch_value(COUNT), (sizes.rounds + 1) * sizes.webhooks
    if stored != sent:
        raise RuntimeError(f"{stored} messages are stored of {sent} that were answered 200")
    return _findings(pairs)


async def _alternated(ours: Plan, floor: Plan, sizes: Sizes) -> Sequence[tuple[Outcome, Outcome]]:
    async def ingest(number: int) -> Outcome:
        return await driven(replace(ours, first=number * sizes.webhooks), 200)

    async def insert(number: int) -> Outcome:
        return await driven(replace(floor, first=number * sizes.webhooks), 200)

    return await alternate(sizes.rounds, ingest, insert)


def _findings(pairs: Sequence[tuple[Outcome, Outcome]]) -> Sequence[Finding]:
    return [
        compared(ROW, "webhooks, 64 connections", "/s", [(a.rate, b.rate) for a, b in pairs], "≥ 1.0 × floor"),
        compared(ROW, "99th percentile", "ms", [(a.p99, b.p99) for a, b in pairs], "≤ 2.0 × floor"),
        compared(ROW, "median", "ms", [(a.p50, b.p50) for a, b in pairs]),
    ]
