"""`elsehu doctor`: tries everything, says on one line each how it stands, and what to do."""

import asyncio
from collections import Counter
from collections.abc import Callable

import click
import orjson

from elsehu.cli.program import Program, say
from elsehu.cli.texts import _
from elsehu.contracts.errors import ConfigError
from elsehu.doctor.findings import Finding, State

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "red", State.SKIPPED: "cyan"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
@click.pass_obj
def doctor(program: Program, as_json: bool) -> None:
    """Try everything that Elsehu rests on: configuration, servers, keys, disk, plugins, numbers, URL, workers.

    Exit code 1 if something is broken. Where no servers are set, those of a running `elsehu serve` are tried, else the
    bundled ones are started meanwhile.
    """
    findings: Counter[State] = Counter()

    def tell(finding: Finding) -> None:
        findings[finding.state] += 1
        _print(finding, as_json=as_json)

    try:
        _examine(program, tell)
    except ConfigError as error:
        tell(Finding("configuration", State.BROKEN, error.detail))
    if not as_json:
        told = _("{} well, {} worth a look, {} broken.")
        click.echo(told.format(findings[State.OK], findings[State.WARNING], findings[State.BROKEN]))
    if findings[State.BROKEN]:
        raise SystemExit(1)


def _examine(program: Program, tell: Callable[[Finding], None]) -> None:
    from elsehu.doctor import examine
    from elsehu.services import connected

    settings = program.settings
    tell(Finding("configuration", State.OK, str(settings._file or _("no file; defaults and the environment"))))

    with connected(settings, say) as reachable:

        async def work() -> None:
            async for finding in examine(reachable):
                tell(finding)

        asyncio.run(work())


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        shown = {"subject": finding.subject, "state": finding.state, "detail": finding.detail, "fix": finding.fix}
        click.echo(orjson.dumps(shown).decode())
        return
    state = click.style(f"{finding.state:8}", fg=COLOURS[finding.state])
    click.echo(f"{state} {finding.subject}: {finding.detail}" + (f" → {finding.fix}" if finding.fix else ""))
