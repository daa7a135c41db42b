"""`GET /metrics`: the figures of this process, and those of the installation that are read from its rows."""

from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.db import CONNECTION_LOST, Row
from elsehu.http.operations import kernel_of
from elsehu.kernel import Kernel
from elsehu.metrics import PrometheusMetrics
from elsehu.realtime.hub import Hub

TYPE = "text/plain; version=0.0.4; charset=utf-8"

QUEUED = """
SELECT i.provider, i.name AS instance, m.lane, count(*) AS depth,
       coalesce(extract(epoch FROM now() - min(m.created_at)), 0)::float8 AS age
FROM messages m JOIN service_instances i ON i.id = m.instance_id WHERE m.status = 'pending' GROUP BY 1, 2, 3
"""
"""By index messages_queue, of what waits alone."""

OPEN = """
SELECT (SELECT count(*) FROM conversations WHERE status = 'queued') AS queued,
       (SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL) AS dead,
       (SELECT count(*) FROM media_files WHERE state = 'pending') AS media,
       (SELECT count(*) FROM messages
        WHERE status = 'unconfirmed' AND created_at > now() - interval '1 day') AS unconfirmed
"""
INSTANCES = "SELECT provider, name AS instance, status FROM service_instances WHERE is_active"
TASKS = "SELECT name, result, seconds, runs, failures, extract(epoch FROM succeeded_at)::float8 AS at FROM job_runs"

Sample = tuple[dict[str, str], float]


def routes() -> list[Route]:
    """Return the route of this module."""
    return [Route("/metrics", show)]


async def show(request: Request) -> Response:
    """Answer with everything that can be read now; without PostgreSQL with what this process knows by itself."""
    from prometheus_client import generate_latest

    kernel = kernel_of(request)
    metrics = kernel.metrics
    assert isinstance(metrics, PrometheusMetrics)
    _look(kernel, metrics)
    own = generate_latest(metrics.registry).decode()
    try:
        of_all = "".join(await _installation(kernel))
    except CONNECTION_LOST:
        of_all = _lines("database_up", "Whether PostgreSQL answers.", [({}, 0)])
    return Response(own + of_all, headers={"content-type": TYPE})


def _look(kernel: Kernel, metrics: PrometheusMetrics) -> None:
    pool = kernel.db.pool
    metrics.sockets.set(len(kernel.part(Hub).sessions()))
    metrics.connections.labels("idle").set(pool.get_idle_size())
    metrics.connections.labels("used").set(pool.get_size() - pool.get_idle_size())
    metrics.connections.labels("most").set(pool.get_max_size())


async def _installation(kernel: Kernel) -> Sequence[str]:
    queued, instances, tasks = [await kernel.db.fetch(sql) for sql in (QUEUED, INSTANCES, TASKS)]
    counts = await kernel.db.fetch_row(OPEN)
    assert counts is not None
    lane = {0: "people", 1: "bulk"}
    places = [({**_number(row), "lane": lane[row["lane"]]}, row) for row in queued]
    return [
        _lines("database_up", "Whether PostgreSQL answers.", [({}, 1)]),
        _lines("queue_depth", "Messages that wait to be sent.", [(at, row["depth"]) for at, row in places]),
        _lines(
            "queue_age_seconds", "How long the oldest of them has waited.", [(at, row["age"]) for at, row in places]
        ),
        _lines("conversations_queued", "Conversations that wait for an operator.", [({}, counts["queued"])]),
        _lines("dead_letters", "Parts of webhooks that nobody has looked at yet.", [({}, counts["dead"])]),
        _lines("media_pending", "Files that are still to be fetched.", [({}, counts["media"])]),
        _lines("messages_unconfirmed", "Sends of a day whose outcome is open.", [({}, counts["unconfirmed"])]),
        _lines("instance_connected", "Whether a number is connected.", [_connected(row) for row in instances]),
        *_tasks(tasks),
    ]


def _number(row: Row) -> dict[str, str]:
    return {"provider": row["provider"], "instance": row["instance"]}


def _connected(row: Row) -> Sample:
    return {**_number(row), "status": row["status"]}, row["status"] == "connected"


def _tasks(rows: Sequence[Row]) -> Iterator[str]:
    def samples(column: str) -> list[Sample]:
        return [({"task": row["name"]}, row[column]) for row in rows if row[column] is not None]

    yield _lines("task_seconds", "How long a background job took last.", samples("seconds"))
    yield _lines("task_success_timestamp_seconds", "When it last went well.", samples("at"))
    yield _lines("task_runs_total", "How often it was begun.", samples("runs"), "counter")
    yield _lines("task_failures_total", "How often it failed.", samples("failures"), "counter")


def _lines(name: str, text: str, samples: Sequence[Sample], kind: str = "gauge") -> str:
    name = f"elsehu_{name}"
    head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    return head + "".join(f"{name}{_labels(labels)} {float(value):.10g}\n" for labels, value in samples)


def _labels(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
