"""Row "campaign": 5,000 recipients of a list at delay 0, by a web process and a worker, to a stand-in Evolution server.

Counted from the first outcome that is written until the last; planning, the recipients frozen and
their contacts made, is counted by itself. The stand-in tells nobody of what it sent: see row "bulk" for the other case.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bench import processes
from bench.evolution import Evolution, connected_number, tell_nobody
from bench.place import SECRET_KEY, Place, Web, running_web
from bench.sizes import Sizes
from bench.table import Finding, alone

ROW = "campaign"
POLL_SECONDS = 0.5
FILE = """
WITH file AS (
    INSERT INTO campaign_files (id, name, columns, rows, mapping, default_region)
    VALUES (gen_random_uuid(), 'people.csv', '["Nome", "Celular"]', $1, '{"name": "Nome", "phone": "Celular"}', 'BR')
    RETURNING id
), made AS (
    INSERT INTO campaign_file_rows (file_id, number, cells, phone)
    SELECT file.id, n + 1, jsonb_build_array('Cliente ' || n, '+' || $2 || n), $2 || n
    FROM file, generate_series(1000000, 1000000 + $1 - 1) AS n
)
SELECT id FROM file
"""
TIMES = """
SELECT min(e.at) AS first, max(e.at) AS last, count(DISTINCT m.id) AS messages,
       count(DISTINCT m.external_id) AS sent
FROM messages m JOIN campaign_recipients r ON r.id = m.id LEFT JOIN events e ON e.subject_id = m.id
WHERE r.campaign_id = $1
"""
"""By when each outcome was written: the provider's own times have whole seconds."""


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure campaigns one after the other, each to people of its own."""
    database_url = await place.new_database()
    async with (
        running_web(place, database_url) as web,
        connected_number(place, web) as evolution,
        _worker(place, database_url),
    ):
        await tell_nobody(evolution)
        rounds = [await _round(web, evolution, sizes.recipients, number) for number in range(sizes.rounds + 1)][1:]
    return [
        alone(ROW, f"messages, {sizes.recipients} recipients", "/s", [one[0] for one in rounds], "≥ 1000 /s"),
        alone(ROW, "recipients planned", "/s", [one[1] for one in rounds]),
        alone(ROW, "from start to finished", "s", [one[2] for one in rounds]),
    ]


@asynccontextmanager
async def _worker(place: Place, database_url: str) -> AsyncIterator[None]:
    own = {
        "DATABASE_URL": database_url,
        "REDIS_URL": place.services.redis_url,
        "ELSEHU_SECRET_KEY": SECRET_KEY,
        "ELSEHU_DATA_DIR": str(place.folder / "var"),
    }
    async with processes.running(["-m", "elsehu", "worker"], place.folder, own, log="worker.log"):
        yield


async def _round(web: Web, evolution: Evolution, recipients: int, number: int) -> tuple[float, float, float]:
    """Return messages a second, recipients planned a second, and the seconds that it took in all."""
    file_id = await web.kernel.db.fetch_value(FILE, recipients, f"55119{number}")
    body = {
        "name": f"Round {number}",
        "serviceInstanceId": evolution.instance_id,
        "text": "Good morning, {{Nome}}! This week everything in the shop is a tenth cheaper.",
        "fileId": str(file_id),
    }
    campaign_id = (await web.call("POST", "/api/campaigns", body))["id"]
    await web.call("POST", f"/api/campaigns/{campaign_id}/start")
    planning = time.perf_counter()
    shown = await _until(web, campaign_id, lambda one: one["stats"]["total"])
    planning_began, started = time.perf_counter(), planning
    shown = await _until(web, campaign_id, lambda one: one["planned"])
    planned = recipients / max(0.001, time.perf_counter() - planning_began)
    shown = await _until(web, campaign_id, lambda one: one["state"] != "running")
    took = time.perf_counter() - started
    row = await web.kernel.db.fetch_row(TIMES, shown["id"])
    if row is None or (row["messages"], row["sent"]) != (recipients, recipients):
        raise RuntimeError(f"of {recipients} recipients not each got one message: {shown}")
    return recipients / (row["last"] - row["first"]).total_seconds(), planned, took


async def _until(web: Web, campaign_id: str, condition: Any) -> dict[str, Any]:
    while True:
        shown: dict[str, Any] = await web.call("GET", f"/api/campaigns/{campaign_id}")
        stats = shown["stats"]
        whole = stats["pending"] + sum(stats[one] for one in ("sent", "delivered", "read", "replied", "failed"))
        if whole + stats["unconfirmed"] + stats["cancelled"] + sum(stats["skipped"].values()) != stats["total"]:
            raise RuntimeError(f"the figures do not add up: {stats}")
        if condition(shown):
            return shown
        await asyncio.sleep(POLL_SECONDS)
