"""Row "reports": each report for a month of a busy desk, the whole of it as a file, and the memory that this takes.

What is kept for reports is made anew before, and timed: it can be dropped at any time.
"""

import time
from collections.abc import Sequence
from statistics import median

import asyncpg
import httpx

from bench import processes
from bench.busy_desk import Size
from bench.place import PLAIN, Place, Web, filled, running_web
from bench.sizes import Sizes
from bench.table import Finding, alone
from elsehu.reporting.jobs import keep_up

ROW = "reports"
REPORTS = ("kpis", "operators", "tabulations", "service-instances", "campaigns", "volume", "finished-conversations")
FORMATS = ("csv", "xlsx")
ROUNDS = 7
MONTH = """
SELECT to_char(date_trunc('month', max(closed_at)) - interval '1 month', 'YYYY-MM-DD') AS first,
       to_char(date_trunc('month', max(closed_at)), 'YYYY-MM-DD') AS next FROM conversations
"""

TIMELINE = """
WITH closed AS (
    SELECT v.id, row_number() OVER (ORDER BY v.id) AS n, v.assigned_to, v.opened_at, v.closed_at,
           v.closed_at - v.opened_at AS took, tabulation_name,
           assigned_to IS NOT NULL AND closed_at IS NOT NULL AS taken_and_closed,
           (SELECT id FROM users ORDER BY id LIMIT 1) AS other
    FROM conversations v WHERE v.status <> 'queued'
), steps AS (
    SELECT id, 1 AS place, 'assigned' AS action, opened_at + interval '1 minute' AS at,
           jsonb_build_object('to', jsonb_build_object('id',
                              CASE n % 10 WHEN 0 THEN other ELSE assigned_to END)) AS more
    FROM closed WHERE assigned_to IS NOT NULL
    UNION ALL
    SELECT id, 2, 'transferred', opened_at + took / 2, jsonb_build_object('from', jsonb_build_object('id', other),
           'to', jsonb_build_object('id', assigned_to), 'reason', NULL)
    FROM closed WHERE taken_and_closed AND n % 10 = 0
    UNION ALL
    SELECT id, 3, 'closed', opened_at + took * 0.6, '{}' FROM closed WHERE taken_and_closed AND n % 25 = 7
    UNION ALL
    SELECT id, 4, 'reopened', opened_at + took * 0.7, jsonb_build_object('to', jsonb_build_object('id', assigned_to))
    FROM closed WHERE taken_and_closed AND n % 25 = 7
    UNION ALL
    SELECT id, 5, 'closed', closed_at, jsonb_build_object('tabulation', tabulation_name)
    FROM closed WHERE closed_at IS NOT NULL
)
INSERT INTO conversation_timeline (conversation_id, action, actor_id, details, at)
SELECT id, action, NULL, more, at FROM steps ORDER BY at, id, place
"""

HASTE = """
UPDATE messages SET created_at = created_at - interval '1 second' * (hashint8(seq) & 127) WHERE direction = 'OUTBOUND'
"""
"""No two operators are equally fast."""


async def add_timeline(connection: asyncpg.Connection) -> None:
    """Add what happened at the desk to conversations that `bench.busy_desk` made."""
    await connection.execute(TIMELINE)
    await connection.execute(HASTE)
    await connection.execute(
        "INSERT INTO report_marks (conversation_id) SELECT id FROM conversations WHERE status = 'closed'"
    )
    await connection.execute("VACUUM (ANALYZE) conversation_timeline, messages")


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure each report and each export of one full desk."""
    url = await place.new_database()
    async with running_web(place, url) as web:
        await filled(web, url, Size(sizes.conversations, sizes.messages_each))
        connection = await asyncpg.connect(url)
        await add_timeline(connection)
        await connection.close()
        started = time.perf_counter()
        await keep_up(web.kernel, {})
        made = time.perf_counter() - started
        month = await web.kernel.db.fetch_row(MONTH)
        assert month is not None
        period = {"from": month["first"], "to": month["next"]}
        times = {report: await _asked(web, report, period) for report in REPORTS}
        exports = {form: await _exported(web, form) for form in FORMATS}
    return [
        alone(ROW, f"rows of {sizes.conversations:,} conversations made anew", "s", [made]),
        *(alone(ROW, f"{report}, a month", "ms", found, "≤ 300 ms") for report, found in times.items()),
        *(alone(ROW, f"all finished as {form}", "s", [seconds]) for form, (seconds, _) in exports.items()),
        *(alone(ROW, "… memory beside", "MiB", [more], "≤ 64 MiB") for _, more in exports.values()),
    ]


async def _asked(web: Web, report: str, period: dict[str, str]) -> list[float]:
    """Return the milliseconds of some requests for a report."""
    times = []
    async with _client(web) as http:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            (await http.get(f"/api/reports/{report}", params=period)).raise_for_status()
            times.append((time.perf_counter() - started) * 1000)
    return [median(times)]


async def _exported(web: Web, form: str) -> tuple[float, float]:
    """Return the seconds that a file of everything takes, and how many MiB the process grows by meanwhile."""
    before = most = processes.resident_mib(web.pid)
    started = time.perf_counter()
    query = {"report": "finished-conversations", "format": form}
    async with _client(web) as http, http.stream("GET", "/api/reports/export", params=query) as answer:
        answer.raise_for_status()
        async for _ in answer.aiter_bytes():
            most = max(most, processes.resident_mib(web.pid))
    return time.perf_counter() - started, most - before


def _client(web: Web) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}", headers=web.headers, verify=PLAIN, timeout=300)
