"""Background jobs: what they are, and how one is asked for. `elsehu worker` runs them, `elsehu scheduler` the clocked.

A job runs at least once: after a crash it runs again, so it must find out by itself what is left to do.
RQ carries names and JSON, never pickles: who can write to Redis must not be able to run code here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from redis import Redis, RedisError

from elsehu.contracts.errors import ConfigError, Unavailable
from elsehu.kernel import Kernel
from elsehu.settings import JobSettings, Settings

QueueName: TypeAlias = Literal["default", "low"]
QUEUES: tuple[QueueName, ...] = ("default", "low")
RUN = "elsehu.worker.run_job"
KEPT_SECONDS = 7 * 24 * 3600
ASK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do outside of any request.

    Attributes:
        name: unique among all jobs; a plugin's begins with the plugin's name (`campaigns.send`).
        run: given a kernel of its own and the arguments (JSON) with which it was asked for. It may return a line for
            people about what came of it, without secrets, which `elsehu tasks` shows.
        cron: when to run it without being asked, as a crontab line in local time (`17 * * * *`); None: never.
        queue: `low` waits until `default` is empty.
    """

    name: str
    run: Callable[[Kernel, Mapping[str, Any]], Awaitable[str | None]]
    cron: str | None = None
    queue: QueueName = "default"


def by_name(jobs: Iterable[Job]) -> dict[str, Job]:
    """Return the jobs by their names. Raises ConfigError if two have one name."""
    found: dict[str, Job] = {}
    for job in jobs:
        if job.name in found:
            raise ConfigError(
                "job_conflict",
                f"Two jobs are called {job.name!r}: {_place(found[job.name])} and {_place(job)}. "
                "Enable only one of the plugins in [plugins] enabled, or update one.",
            )
        found[job.name] = job
    return found


async def enqueue(kernel: Kernel, job: Job, arguments: Mapping[str, Any] | None = None) -> str:
    """Ask for `job` to be run soon; return the id under which RQ knows it. Raises Unavailable without Redis."""
    return await asyncio.to_thread(enqueue_now, kernel.settings, job, arguments)


def enqueue_now(settings: Settings, job: Job, arguments: Mapping[str, Any] | None = None) -> str:
    """Do what `enqueue` does, blocking."""
    from rq import Queue
    from rq.serializers import JSONSerializer

    assert settings.redis_url is not None
    try:
        with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            queue = Queue(job.queue, connection=redis, serializer=JSONSerializer)
            return str(queue.enqueue_call(RUN, (job.name, dict(arguments or {})), **_options(job, settings.jobs)).id)
    except RedisError as error:
        raise Unavailable(
            "jobs_unavailable", "Background work cannot be taken now. Try again.", retry_after=ASK_AGAIN_SECONDS
        ) from error


def _options(job: Job, settings: JobSettings) -> dict[str, Any]:
    from rq import Retry

    return {
        "timeout": settings.timeout,
        "retry": Retry(max=settings.attempts - 1) if settings.attempts > 1 else None,
        "description": job.name,
        "result_ttl": 0,
        "failure_ttl": KEPT_SECONDS,
    }


def _place(job: Job) -> str:
    return f"{job.run.__module__}.{getattr(job.run, '__qualname__', 'run')}"
