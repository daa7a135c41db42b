"""Remembering how each job ran last: for people who look after an installation, and for its health."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from croniter import croniter

from elsehu.clock import isoformat
from elsehu.db import Database, Row

BEGIN = """
INSERT INTO job_runs AS r (name, result, error, started_at, runs, failures) VALUES ($1, 'running', '', $2, 1, 0)
ON CONFLICT (name) DO UPDATE SET result = 'running', error = '', told = '', started_at = $2, finished_at = NULL,
    seconds = NULL, runs = r.runs + 1
"""
END = """
UPDATE job_runs SET finished_at = $2, seconds = extract(epoch FROM $2::timestamptz - started_at),
    result = CASE WHEN $3 = '' THEN 'ok' ELSE 'failed' END, error = $3, told = $4,
    succeeded_at = CASE WHEN $3 = '' THEN $2 ELSE succeeded_at END,
    failures = failures + CASE WHEN $3 = '' THEN 0 ELSE 1 END
WHERE name = $1
"""
ALL = "SELECT * FROM job_runs ORDER BY name"
MOST_TOLD = 2000
LATE = timedelta(minutes=10)
"""How long after its time a periodic job may be waiting for a worker before that is a trouble."""


async def begin(db: Database, name: str, now: datetime) -> None:
    """Note that the job `name` runs."""
    await db.execute(BEGIN, name, now)


async def end(db: Database, name: str, now: datetime, error: str = "", told: str = "") -> None:
    """Note that the job `name` ended, well or (`error`, without secrets) not, and what it told."""
    await db.execute(END, name, now, error, told[:MOST_TOLD])


async def last_runs(db: Database) -> Mapping[str, Row]:
    """Return how each job ran last, by its name."""
    return {row["name"]: row for row in await db.fetch(ALL)}


def shown(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a job ran last, as `/health/ready` shows it."""
    return {
        "result": run["result"],
        "detail": run["error"] or run["told"],
        "startedAt": isoformat(run["started_at"]),
        "seconds": run["seconds"] and round(run["seconds"], 3),
        "runs": run["runs"],
        "failures": run["failures"],
    }


def troubles(crons: Mapping[str, str], runs: Mapping[str, Any], now: datetime) -> Sequence[str]:
    """Return in words which periodic jobs (crontab lines by name) failed last, or have not run at their time.

    One that never ran is new, or its installation is: nobody knows since when it should have.
    """
    return [
        f"{name} {word}" for name, cron in crons.items() if name in runs and (word := _trouble(cron, runs[name], now))
    ]


def _trouble(cron: str, run: Mapping[str, Any], now: datetime) -> str:
    if run["result"] == "failed":
        return f"failed: {run['error']}"
    due = croniter(cron, run["started_at"].astimezone()).get_next(datetime)
    if due + LATE < now:
        return f"has not run since {run['started_at']:%Y-%m-%d %H:%M} UTC; do a worker and a scheduler run?"
    return ""
