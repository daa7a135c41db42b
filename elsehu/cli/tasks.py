"""`elsehu tasks`: the background jobs, when they run, and how they ran last."""

from collections.abc import Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from elsehu.cli.program import Program
from elsehu.cli.texts import _
from elsehu.db import Row
from elsehu.jobs import Job
from elsehu.jobs.runs import last_runs
from elsehu.kernel import Kernel

MARKS = {"ok": "green", "failed": "red", "running": "yellow"}


@click.command("tasks")
@click.pass_obj
def tasks(program: Program) -> None:
    """List background jobs: when each runs, and when, how long and how well it ran last."""
    from elsehu.known_jobs import jobs_of

    async def read(kernel: Kernel) -> Mapping[str, Row]:
        return await last_runs(kernel.db)

    Console().print(_table(jobs_of(program.plugins), program.run(read)))


def _table(jobs: Mapping[str, Job], runs: Mapping[str, Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(_("Task"), no_wrap=True, min_width=max(map(len, jobs), default=0))
    for heading in (_("When"), _("Last run (UTC)"), _("Took"), _("Result"), _("Runs"), _("Failed")):
        table.add_column(heading, overflow="fold")
    for name, job in sorted(jobs.items()):
        table.add_row(name, job.cron or _("when asked"), *_last(runs.get(name)))
    return table


def _last(run: Row | None) -> tuple[str, ...]:
    if run is None:
        return ("", "", _("never ran"), "0", "0")
    took = "" if run["seconds"] is None else f"{run['seconds']:.1f} s"
    result = f"[{MARKS[run['result']]}]{run['result']}[/] {escape(run['error'] or run['told'])}".strip()
    return (f"{run['started_at']:%Y-%m-%d %H:%M:%S}", took, result, str(run["runs"]), str(run["failures"]))
