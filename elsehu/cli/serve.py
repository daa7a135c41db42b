"""`elsehu serve`: all of Elsehu on this machine, in one process tree."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import click

from elsehu.cli.apart import address, listening_on
from elsehu.cli.program import Program, about_admin, imported, say
from elsehu.cli.texts import _
from elsehu.cli.walkthrough import walkthrough
from elsehu.first_start import FirstStart, ensure_migrated, ensure_usable
from elsehu.http.logs import configure_logs
from elsehu.listening import listening
from elsehu.plugins import Plugins
from elsehu.processes import Command, answers, supervise
from elsehu.services import bundled, has_started, has_urls
from elsehu.settings import Settings

STOP_SLACK_SECONDS = 15.0
JOB_STOP_SECONDS = 10.0


@click.command()
@address
@click.pass_obj
def serve(program: Program, host: str | None, port: int | None) -> None:
    """Run everything on this machine: web, worker and scheduler, and PostgreSQL and Valkey if no URLs are set."""
    asked = listening_on(program.settings, host, port)
    configure_logs(asked.logging)
    asked = listening_on(asked, None, _usable_port(asked))
    loading = _meanwhile(lambda: program.plugins)
    if not has_started(asked):
        loading.result()
    with _services(asked) as settings:
        plugins = loading.result()
        first = asyncio.run(_prepare(settings, plugins))
        imported()
        code = supervise(commands(settings), lambda: _announce(settings, first))
    say(_("Elsehu has stopped."))
    sys.exit(code)


async def _prepare(settings: Settings, plugins: Plugins) -> FirstStart | None:
    await ensure_migrated(settings, plugins, say)
    return await ensure_usable(settings, plugins, with_sandbox=True)


def _meanwhile(load: Callable[[], Plugins]) -> Future[Plugins]:
    """Load the plugins in a thread of their own: importing takes as long as the bundled services take to start."""
    pool = ThreadPoolExecutor(1)
    loading = pool.submit(load)
    pool.shutdown(wait=False)
    return loading


@contextmanager
def _services(settings: Settings) -> Iterator[Settings]:
    if has_urls(settings):
        yield settings
    else:
        with bundled(settings, say) as running:
            yield running


def _usable_port(settings: Settings) -> int:
    """Return the port, or a free one for port 0. Raises ConfigError while somebody else listens on it."""
    with listening(settings.server.host, settings.server.port) as sock:
        port: int = sock.getsockname()[1]
        return port


def commands(settings: Settings) -> Sequence[Command]:
    """Return the processes that make up Elsehu, in the order in which they stop: first no more work comes in."""
    environment = _environment(settings)
    health = answers(f"{_own_url(settings)}/health")
    stop_web = settings.server.stop_seconds + STOP_SLACK_SECONDS

    def command(name: str, **more: object) -> Command:
        argv = [sys.executable, "-m", "elsehu", name]
        return Command(name, argv, environment=environment, **more)  # type: ignore[arg-type]

    return [
        command("web", ready=health, stop_seconds=stop_web),
        command("scheduler", stop_seconds=JOB_STOP_SECONDS),
        command("worker", stop_seconds=JOB_STOP_SECONDS),
    ]


def _environment(settings: Settings) -> dict[str, str]:
    """Return what the processes must be told, because this process found it out."""
    assert settings.database_url
    assert settings.redis_url
    assert settings.secret_key
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "ELSEHU_SECRET_KEY": settings.secret_key.get_secret_value(),
        "ELSEHU_SERVER__HOST": settings.server.host,
        "ELSEHU_SERVER__PORT": str(settings.server.port),
    }


def _own_url(settings: Settings) -> str:
    return settings.model_copy(update={"public_url": None}).base_url


def _announce(settings: Settings, first: FirstStart | None) -> None:
    if first and first.instance_name:
        click.echo(walkthrough(_own_url(settings), first.email, first.password, first.instance_name))
    elif first:
        click.echo(about_admin(first))
    say(_("Elsehu is ready at {}. Ctrl-C stops it.").format(_own_url(settings)))
