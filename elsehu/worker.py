"""The worker and the scheduler: RQ runs what was asked for, and its cron asks for what the clock wants.

The worker forks a process for each job: whatever a job does to memory or dies of, the worker stays. Each job opens
a small kernel of its own, because pools belong to the event loop that made them.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError
from rq import Queue, Worker
from rq import job as rq
from rq.cron import CronJob, CronScheduler
from rq.serializers import JSONSerializer

from elsehu.configuration import load_settings
from elsehu.contracts.errors import ElsehuError, Unavailable
from elsehu.db import CONNECTION_LOST
from elsehu.die_with_parent import follow_parent
from elsehu.jobs import QUEUES, Job, enqueue_now, runs
from elsehu.kernel import open_kernel
from elsehu.known_jobs import jobs_of
from elsehu.plugins import Plugins, load_plugins
from elsehu.services import found_services
from elsehu.settings import Settings

log = structlog.get_logger("elsehu.worker")

TRY_AGAIN_SECONDS = 2.0
LOOK_FOR_ABANDONED_SECONDS = 60
SLOT_KEY = "elsehu:periodic:{name}:{slot}"
SLOT_KEPT_SECONDS = 3600
CONNECTIONS_OF_A_JOB = {"pool_min": 1, "pool_max": 4}


def run_job(name: str, arguments: Mapping[str, Any]) -> None:
    """Run one job to its end. RQ calls this in a process of its own."""
    settings = found_services(load_settings())
    small = settings.model_copy(update={"database": settings.database.model_copy(update=CONNECTIONS_OF_A_JOB)})
    plugins = load_plugins(small)
    job = jobs_of(plugins)[name]
    asyncio.run(_patiently(lambda: _run(job, small, plugins, arguments)))


async def _run(job: Job, settings: Settings, plugins: Plugins, arguments: Mapping[str, Any]) -> None:
    """Run `job` and note how that went. Raises what it raises: RQ then tries again."""
    started = time.monotonic()
    async with open_kernel(settings, plugins) as kernel:
        await runs.begin(kernel.db, job.name, kernel.now())
        try:
            told = await job.run(kernel, arguments)
        except CONNECTION_LOST:
            raise
        except Exception as error:
            await runs.end(kernel.db, job.name, kernel.now(), _in_words(error))
            raise
        await runs.end(kernel.db, job.name, kernel.now(), told=told or "")
    log.info("job_done", job=job.name, seconds=round(time.monotonic() - started, 3), told=told)


def _in_words(error: Exception) -> str:
    """Return what an admin may read of an error: an unexpected one can quote anything, so it gives its name alone."""
    return f"{error.code}: {error.detail}" if isinstance(error, ElsehuError) else f"{type(error).__name__}, see the log"


async def _patiently(run: Callable[[], Awaitable[None]]) -> None:
    """Run, and again while PostgreSQL is away: RQ's time limit for the job ends that."""
    while True:
        try:
            return await run()
        except CONNECTION_LOST as error:
            log.warning("job_waits_for_database", error=type(error).__name__)
            await asyncio.sleep(TRY_AGAIN_SECONDS)


class JobWorker(Worker):
    """RQ's worker; it does not give up while Redis is away, and takes its running job with it when it is killed."""

    max_connection_wait_time = 5.0
    log_job_description = False
    was_asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish the job that runs, then stop."""
        self.was_asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def handle_exception(self, job: rq.Job, *raised: Any) -> None:
        """Tell of a job that failed. RQ would log its arguments and the error's words, which can quote anything."""
        log.error("job_failed", job=job.func_name, exc_info=raised)

    def main_work_horse(self, job: rq.Job, queue: Queue) -> None:
        """Run the job, in its own process."""
        follow_parent(signal.SIGKILL)
        super().main_work_horse(job, queue)


def work(settings: Settings) -> None:
    """Run jobs until asked to stop by SIGTERM or SIGINT (main thread only)."""
    asked = False
    while not asked:
        try:
            with _redis(settings) as redis:
                worker = JobWorker(
                    list(QUEUES),
                    connection=redis,
                    serializer=JSONSerializer,
                    maintenance_interval=LOOK_FOR_ABANDONED_SECONDS,
                )
                log.info("worker_listens", queues=list(QUEUES))
                worker.work(logging_level="WARNING")
                asked = worker.was_asked_to_stop
        except RedisError as error:
            log.warning("redis_away", error=type(error).__name__)
        if not asked:
            _pause()


class Periodic(CronJob):
    """A job on the clock. However many schedulers run, each of its times is asked for once."""

    def __init__(self, settings: Settings, job: Job) -> None:
        super().__init__(job.queue, func_name=job.name, cron=job.cron, name=job.name)
        self._settings = settings
        self._job = job

    def enqueue(self, connection: Redis) -> Any:
        """Ask for the job, unless another scheduler has done so for this time."""
        slot = self.next_enqueue_time
        assert isinstance(slot, datetime)
        key = SLOT_KEY.format(name=self._job.name, slot=int(slot.timestamp()))
        if connection.set(key, "asked", nx=True, ex=SLOT_KEPT_SECONDS):
            enqueue_now(self._settings, self._job)


class Scheduler(CronScheduler):
    """RQ's cron over our jobs, which says whether it was asked to stop."""

    was_asked_to_stop = False

    def __init__(self, settings: Settings, plugins: Plugins, connection: Redis) -> None:
        super().__init__(connection, logging_level="WARNING")
        self._cron_jobs = [Periodic(settings, job) for job in jobs_of(plugins).values() if job.cron]

    def _request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.was_asked_to_stop = True
        super()._request_stop(signum, frame)  # type: ignore[no-untyped-call]


def schedule(settings: Settings, plugins: Plugins) -> None:
    """Ask for periodic jobs at their times until asked to stop by SIGTERM or SIGINT (main thread only)."""
    asked = False
    while not asked:
        with _redis(settings) as redis:
            scheduler = Scheduler(settings, plugins, redis)
            try:
                log.info("scheduler_runs", jobs=[job.name for job in scheduler.get_jobs()])
                scheduler.start()  # type: ignore[no-untyped-call]
            except (RedisError, Unavailable) as error:
                log.warning("redis_away", error=type(error).__name__)
            asked = scheduler.was_asked_to_stop
        if not asked:
            _pause()


def _pause() -> None:
    """Wait before the next try. RQ has left its signal handlers behind, which only suit a running worker."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    time.sleep(TRY_AGAIN_SECONDS)


def _redis(settings: Settings) -> Redis:
    assert settings.redis_url is not None
    return Redis.from_url(settings.redis_url.get_secret_value())
