"""Background jobs, by the real worker in a process of its own: they run, run again, and survive what dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from elsehu.embedded import EmbeddedServices
from elsehu.jobs import Job, enqueue_now
from elsehu.kernel import Kernel
from elsehu.known_jobs import jobs_of
from elsehu.settings import JobSettings, Settings
from elsehu.testing import load_plugins
from elsehu.worker import Periodic

PATIENCE_SECONDS = 90.0
PLUGIN = """
import asyncio
from pathlib import Path
from elsehu.plugin import Job, PluginInfo, hookimpl

@hookimpl
def plugin_info():
    return PluginInfo("acme", "jobs for a test")

def note(arguments, text):
    with Path(arguments["file"]).open("a") as file:
        file.write(text)

async def write(kernel, arguments):
    assert await kernel.db.fetch_value("SELECT 1") == 1
    note(arguments, "written ")

async def fail(kernel, arguments):
    note(arguments, "tried ")
    raise RuntimeError("it never works")

async def sleep(kernel, arguments):
    note(arguments, "started ")
    await asyncio.sleep(arguments["seconds"])
    note(arguments, "ended ")

@hookimpl
def register_jobs():
    return [Job("acme.write", write), Job("acme.fail", fail), Job("acme.sleep", sleep)]
"""


async def named_only(kernel: Kernel, arguments: Any) -> None:
    """Stand for the plugin's job of the same name, which only the worker has."""


WRITE, FAIL, SLEEP = (Job(f"acme.{name}", named_only) for name in ("write", "fail", "sleep"))


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start `elsehu worker` with a plugin that has jobs."""
    info = tmp_path / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[elsehu]\nacme = acme\n")
    (tmp_path / "site" / "acme.py").write_text(PLUGIN)
    assert settings.database_url
    assert settings.redis_url
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "ELSEHU_SECRET_KEY": "a key",
        "ELSEHU_PLUGINS__ENABLED": "acme,storage_local",
        "PYTHONPATH": str(tmp_path / "site"),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-m", "elsehu", "worker"], cwd=tmp_path, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    assert settings.redis_url
    with Redis.from_url(settings.redis_url.get_secret_value()) as connection:
        yield connection


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def until_text(file: Path, text: str) -> None:
    until(lambda: file.exists() and file.read_text() == text)


def test_a_job_runs_in_a_kernel_of_its_own_and_the_worker_stops_when_asked(
    settings: Settings, worker: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = worker()
    enqueue_now(settings, WRITE, {"file": str(tmp_path / "a")})
    enqueue_now(settings, WRITE, {"file": str(tmp_path / "a")})
    until_text(tmp_path / "a", "written written ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0


def test_a_job_that_fails_is_tried_as_often_as_configured(
    settings: Settings, worker: Callable[[], subprocess.Popen[bytes]], redis: Redis, tmp_path: Path
) -> None:
    worker()
    few = settings.model_copy(update={"jobs": JobSettings(attempts=3)})
    enqueue_now(few, FAIL, {"file": str(tmp_path / "a")})
    failed = FailedJobRegistry("default", redis, serializer=JSONSerializer)
    until(lambda: failed.count == 1)
    assert (tmp_path / "a").read_text() == "tried tried tried "


def test_the_worker_finishes_its_job_before_it_stops(
    settings: Settings, worker: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = worker()
    enqueue_now(settings, SLEEP, {"file": str(tmp_path / "a"), "seconds": 1})
    until_text(tmp_path / "a", "started ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert (tmp_path / "a").read_text() == "started ended "


def test_a_killed_workers_job_dies_with_it_and_runs_again(
    settings: Settings, worker: Callable[[], subprocess.Popen[bytes]], redis: Redis, tmp_path: Path
) -> None:
    process = worker()
    job_id = enqueue_now(settings, SLEEP, {"file": str(tmp_path / "a"), "seconds": 3})
    until_text(tmp_path / "a", "started ")
    process.kill()
    process.wait()
    registry = Queue("default", connection=redis, serializer=JSONSerializer).started_job_registry
    (execution,) = redis.zrange(registry.key, 0, -1)
    assert job_id in execution.decode()
    redis.zadd(registry.key, {execution: time.time() - 1})  # as if its minute and a half had passed
    worker()
    until_text(tmp_path / "a", "started started ended ")


def test_the_worker_survives_a_restart_of_redis(
    services: EmbeddedServices,
    settings: Settings,
    worker: Callable[[], subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    process = worker()
    enqueue_now(settings, WRITE, {"file": str(tmp_path / "before")})
    until_text(tmp_path / "before", "written ")
    services.restart_valkey()
    enqueue_now(settings, WRITE, {"file": str(tmp_path / "after")})
    until_text(tmp_path / "after", "written ")
    assert process.poll() is None


def test_two_schedulers_ask_for_each_time_once(settings: Settings, redis: Redis) -> None:
    hourly = Job("acme.write", named_only, "17 * * * *")
    schedulers = [Periodic(settings, hourly) for _ in range(2)]
    queue = Queue("default", connection=redis)
    for one in schedulers:
        one.enqueue(redis)
    assert queue.count == 1
    for one in schedulers:
        one.set_enqueue_time(datetime.now(UTC) + timedelta(hours=1))
        one.enqueue(redis)
    assert queue.count == 2


def test_redis_holds_json_and_no_pickles(settings: Settings, redis: Redis) -> None:
    job_id = enqueue_now(settings, WRITE, {"file": "a"})
    data = Queue("default", connection=redis, serializer=JSONSerializer).fetch_job(job_id)
    assert data is not None
    assert list(data.args) == ["acme.write", {"file": "a"}]


async def test_every_periodic_task_runs_on_an_empty_database(settings: Settings, kernel: Kernel) -> None:
    for job in [one for one in jobs_of(load_plugins(settings)).values() if one.cron]:
        await job.run(kernel, {})


async def test_what_was_kept_long_enough_goes(settings: Settings, kernel: Kernel) -> None:
    raw = """INSERT INTO webhook_events (provider, event_name, body, received_at)
             VALUES ('p', 'e', '{}', now() - $1::interval)"""
    event = "INSERT INTO events (type, at) VALUES ('message:new', now() - $1::interval)"
    for days, hours in ((8, 25), (6, 23)):
        await kernel.db.execute(raw, timedelta(days=days))
        await kernel.db.execute(event, timedelta(hours=hours))
    jobs = jobs_of(load_plugins(settings))
    await jobs["messaging.purge_raw_events"].run(kernel, {})
    await jobs["realtime.purge_events"].run(kernel, {})
    assert await kernel.db.fetch_value("SELECT count(*) FROM webhook_events") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM events") == 1
