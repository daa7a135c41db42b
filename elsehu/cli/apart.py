"""`elsehu web`, `worker` and `scheduler`: the processes apart, for production."""

import os
from collections.abc import Callable

import click

from elsehu.cli.program import Program, imported
from elsehu.http.logs import configure_logs
from elsehu.services import found_services
from elsehu.settings import Settings

BACKGROUND_NICENESS = 5


def address(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--host` and `--port` to a command."""
    host = click.option("--host", help="The address to listen on (default: [server] host).")
    port = click.option("--port", type=click.IntRange(0, 65535), help="The port (default: [server] port).")
    return host(port(command))


def listening_on(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Return the settings with another address to listen on, where one is given."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


@click.command()
@address
@click.pass_obj
def web(program: Program, host: str | None, port: int | None) -> None:
    """Run one web process: the API, webhooks, WebSockets, and (by default) sending."""
    settings = _ready(program)
    plugins = program.plugins
    from elsehu.web import serve_web

    imported()
    serve_web(listening_on(settings, host, port), plugins)


@click.command()
@click.pass_obj
def worker(program: Program) -> None:
    """Run background jobs, one at a time. Run several for more."""
    os.nice(BACKGROUND_NICENESS)
    settings = _ready(program)
    from elsehu.known_jobs import jobs_of
    from elsehu.worker import work

    jobs_of(program.plugins)
    imported()
    work(settings)


@click.command()
@click.pass_obj
def scheduler(program: Program) -> None:
    """Ask for the periodic jobs at their times. One is enough; two do no harm."""
    os.nice(BACKGROUND_NICENESS)
    settings = _ready(program)
    from elsehu.worker import schedule

    imported()
    schedule(settings, program.plugins)


def _ready(program: Program) -> Settings:
    configure_logs(program.settings.logging)
    return found_services(program.settings)
