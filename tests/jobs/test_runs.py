"""What is remembered of jobs, and what of that is a trouble."""

from datetime import UTC, datetime, timedelta

import pytest

from elsehu.jobs import runs
from elsehu.kernel import Kernel

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def test_the_last_run_is_remembered_and_the_last_good_one_too(kernel: Kernel) -> None:
    await runs.begin(kernel.db, "media.sweep", NOON)
    assert (await runs.last_runs(kernel.db))["media.sweep"]["result"] == "running"
    await runs.end(kernel.db, "media.sweep", NOON + MINUTE)
    await runs.begin(kernel.db, "media.sweep", NOON + 2 * MINUTE)
    await runs.end(kernel.db, "media.sweep", NOON + 3 * MINUTE, "storage_down: The disk is full.")
    run = (await runs.last_runs(kernel.db))["media.sweep"]
    shown = {name: run[name] for name in ("result", "error", "seconds", "succeeded_at", "runs", "failures")}
    assert shown == {
        "result": "failed",
        "error": "storage_down: The disk is full.",
        "seconds": 60.0,
        "succeeded_at": NOON + MINUTE,
        "runs": 2,
        "failures": 1,
    }


async def test_what_a_job_tells_is_shown_until_it_runs_again(kernel: Kernel) -> None:
    await runs.begin(kernel.db, "media.sweep", NOON)
    await runs.end(kernel.db, "media.sweep", NOON + MINUTE, told="3 of 4 numbers; Shop: it refused the connection")
    shown = runs.shown((await runs.last_runs(kernel.db))["media.sweep"])
    assert shown == {
        "result": "ok",
        "detail": "3 of 4 numbers; Shop: it refused the connection",
        "startedAt": "2026-03-04T12:00:00.000Z",
        "seconds": 60.0,
        "runs": 1,
        "failures": 0,
    }
    await runs.begin(kernel.db, "media.sweep", NOON + 2 * MINUTE)
    assert (await runs.last_runs(kernel.db))["media.sweep"]["told"] == ""


@pytest.mark.parametrize(
    ("result", "ago", "expected"),
    [
        ("ok", timedelta(minutes=30), []),
        ("ok", timedelta(hours=3), ["hourly has not run since"]),
        ("running", timedelta(hours=3), ["hourly has not run since"]),
        ("failed", timedelta(minutes=1), ["hourly failed: no reason"]),
    ],
)
def test_troubles(result: str, ago: timedelta, expected: list[str]) -> None:
    run = {"result": result, "error": "no reason", "started_at": NOON - ago}
    found = runs.troubles({"hourly": "7 * * * *", "never ran": "* * * * *"}, {"hourly": run}, NOON)
    assert [word[: len(start)] for word, start in zip(found, expected, strict=True)] == expected
