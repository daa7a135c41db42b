"""`elsehu audit`: who did what, when, from where."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from elsehu.cli.program import Program
from elsehu.cli.texts import _
from elsehu.db import Row
from elsehu.identity.audit_reading import Asked, entries, entry_view
from elsehu.kernel import Kernel


@click.command()
@click.option("--actor", type=click.UUID, help="Only what this user or API key did, by its id.")
@click.option("--action", help="Only this, such as login_failed.")
@click.option("--subject", help="Only what was done to this, such as user:<id>.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Only of the last hours.")
@click.option("--before", type=int, metavar="ID", help="Only older ones: the last ID of the page before.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
@click.pass_obj
def audit(program: Program, /, *, before: int | None, limit: int, as_json: bool, **asked: Any) -> None:
    """Show who did what, when, from where: newest first. Entries are never changed."""
    start = datetime.now(UTC) - timedelta(hours=asked["hours"]) if asked["hours"] else None

    async def read(kernel: Kernel) -> Sequence[Row]:
        chosen = Asked(asked["actor"], asked["action"], asked["subject"], start)
        return await entries(kernel.db, chosen, before, limit)

    rows = program.run(read)
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(entry_view(row)).decode())
        return
    Console().print(_table(rows))
    if len(rows) == limit:
        click.echo(_("More: add --before {}").format(rows[-1]["id"]), err=True)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (_("ID"), _("At (UTC)"), _("Who"), _("Did"), _("To"), _("From")):
        table.add_column(heading)
    for row in rows:
        who = row["actor_name"] or _("nobody")
        table.add_row(
            *(escape(text) for text in (str(row["id"]), f"{row['at']:%Y-%m-%d %H:%M:%S}", who)),
            *(escape(row[name]) for name in ("action", "subject", "address")),
        )
    return table
