"""`/health`: is this process alive? It asks nobody else. `/health/ready`: can it do its work? It asks everybody."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from redis import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from elsehu import __version__
from elsehu.background import Background
from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Role
from elsehu.db import CONNECTION_LOST
from elsehu.http.operations import Authenticator
from elsehu.jobs.runs import last_runs, shown, troubles
from elsehu.kernel import Kernel
from elsehu.known_jobs import jobs_of
from elsehu.schema import KERNEL_APPS, pending, plugin_apps

ASK_SECONDS = 2.0
RETRY_SECONDS = 5
DISPATCHER = "dispatcher"


@dataclass(frozen=True, slots=True)
class State:
    """How one part stands. Without a `needed` part this process cannot do its work; without another, not all of it."""

    is_well: bool
    detail: str
    needed: bool = True


Report: TypeAlias = dict[str, State]


async def alive(request: Request) -> Response:
    """Answer that the process serves."""
    return JSONResponse({"status": "ok", "version": __version__})


async def ready(request: Request) -> Response:
    """Answer whether the process can do its work: 200 `ok` or `degraded`, 503 `unavailable`. To an ADMIN, why."""
    kernel: Kernel = request.app.state.kernel
    report = await report_on(kernel)
    status = status_of(report)
    body: dict[str, object] = {"status": status, "version": __version__}
    if await _is_admin(kernel, request):
        body["parts"] = {
            name: {"state": "ok" if state.is_well else "down", "detail": state.detail} for name, state in report.items()
        }
        body["tasks"] = await _runs(kernel) if report["database"].is_well else {}
    if status == "unavailable":
        return JSONResponse(body, 503, headers={"Retry-After": str(RETRY_SECONDS)})
    return JSONResponse(body)


async def report_on(kernel: Kernel) -> Report:
    """Ask every part how it stands."""
    database, redis = await asyncio.gather(_asked(_database, kernel), _asked(_redis, kernel, needed=False))
    return {
        "database": database,
        "migrations": await _asked(_migrations, kernel) if database.is_well else State(False, "unknown"),
        "redis": redis,
        "dispatcher": _dispatcher(kernel),
        "tasks": await _asked(_tasks, kernel, needed=False)
        if database.is_well
        else State(False, "unknown", needed=False),
    }


def status_of(report: Report) -> str:
    """Return `ok`, `degraded` (something is down that others do not need) or `unavailable`."""
    down = [state for state in report.values() if not state.is_well]
    if any(state.needed for state in down):
        return "unavailable"
    return "degraded" if down else "ok"


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route("/health", alive), Route("/health/ready", ready)]


async def _asked(question: Callable[[Kernel], Awaitable[str]], kernel: Kernel, *, needed: bool = True) -> State:
    """Ask, but not for long. An empty answer is a good one."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            trouble = await question(kernel)
    except (*CONNECTION_LOST, RedisError) as error:
        trouble = f"cannot be reached ({type(error).__name__})"
    return State(not trouble, trouble, needed)


async def _database(kernel: Kernel) -> str:
    await kernel.db.fetch_value("SELECT 1")
    return ""


async def _redis(kernel: Kernel) -> str:
    await kernel.redis.ping()
    return ""


async def _migrations(kernel: Kernel) -> str:
    async with kernel.db.reader() as uow:
        lacking = await pending(uow.connection, [*KERNEL_APPS, *plugin_apps(kernel.plugins)])
    return f"lacking: {', '.join(lacking)}; run `elsehu migrate`" if lacking else ""


async def _tasks(kernel: Kernel) -> str:
    crons = {name: job.cron for name, job in jobs_of(kernel.plugins).items() if job.cron}
    found = troubles(crons, await last_runs(kernel.db), kernel.now())
    return f"{'; '.join(found)} (see `elsehu tasks`)" if found else ""


async def _runs(kernel: Kernel) -> dict[str, object]:
    """Return how each periodic job ran last; null for one that never ran."""
    runs = await last_runs(kernel.db)
    periodic = [name for name, job in jobs_of(kernel.plugins).items() if job.cron]
    return {name: shown(runs[name]) if name in runs else None for name in sorted(periodic)}


def _dispatcher(kernel: Kernel) -> State:
    if not kernel.settings.messaging.dispatch_in_web:
        return State(True, "runs in other processes")
    is_well = kernel.part(Background).is_running(DISPATCHER)
    return State(is_well, "" if is_well else "broke and is being started again; see the log")


async def _is_admin(kernel: Kernel, request: Request) -> bool:
    if "authorization" not in request.headers:
        return False
    authenticator = kernel.part(Authenticator)  # type: ignore[type-abstract]
    try:
        return (await authenticator.from_request(request)).role is Role.ADMIN
    except (Unauthenticated, *CONNECTION_LOST):
        return False
