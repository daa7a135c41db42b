"""`elsehu webhooks …`: what providers told us lately, what of it could not be applied, and applying it again."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from elsehu.cli.program import Program
from elsehu.cli.texts import _
from elsehu.contracts.errors import NotFound
from elsehu.db import Row
from elsehu.http.logs import configure_logs
from elsehu.identity import audit
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.replaying import Choice, Replayed, count, replay

LIST = """
SELECT w.id, w.received_at, w.provider, w.event_name, i.name, pg_column_size(w.body) AS size
FROM webhook_events w LEFT JOIN service_instances i ON i.id = w.instance_id
WHERE ($1::text IS NULL OR w.provider = $1) AND ($2::bigint IS NULL OR w.id < $2) ORDER BY w.id DESC LIMIT $3
"""
DEAD = """
SELECT d.id, d.created_at, d.provider, i.name, d.error
FROM dead_letters d LEFT JOIN service_instances i ON i.id = d.instance_id
WHERE d.resolved_at IS NULL AND ($1::bigint IS NULL OR d.id < $1) ORDER BY d.id DESC LIMIT $2
"""
ONE = "SELECT body AS told FROM webhook_events WHERE id = $1"
ONE_DEAD = "SELECT jsonb_build_object('error', error, 'item', item) AS told FROM dead_letters WHERE id = $1"
RESOLVE = (
    "UPDATE dead_letters SET resolved_at = now() WHERE id = ANY($1::bigint[]) AND resolved_at IS NULL RETURNING id"
)
SHOWN_TROUBLES = 20

a_page = click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
before = click.option("--before", type=int, metavar="ID", help="Only older ones: the last ID of the page before.")


@click.group()
def webhooks() -> None:
    """Look at what providers told us, and apply it again."""


@webhooks.command("list")
@click.option("--provider", help="Only of this provider.")
@click.option("--dead", is_flag=True, help="Only parts that could not be applied, and that nobody has resolved.")
@before
@a_page
@click.pass_obj
def list_webhooks(program: Program, *, provider: str | None, dead: bool, before: int | None, limit: int) -> None:
    """List stored webhooks, or (--dead) what could not be applied, newest first."""

    async def read(kernel: Kernel) -> Sequence[Row]:
        asked = (DEAD, before, limit) if dead else (LIST, provider, before, limit)
        return await kernel.db.fetch(*asked)

    rows = program.run(read)
    Console().print(_table(rows, ("id", "created_at" if dead else "received_at", *_columns(dead=dead))))
    if len(rows) == limit:
        click.echo(_("More: add --before {}").format(rows[-1]["id"]), err=True)


def _columns(*, dead: bool) -> tuple[str, ...]:
    return ("provider", "name", "error") if dead else ("provider", "name", "event_name", "size")


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    headings = {
        "id": _("ID"),
        "created_at": _("At (UTC)"),
        "received_at": _("At (UTC)"),
        "provider": _("Provider"),
        "name": _("Number"),
        "event_name": _("Event"),
        "size": _("Bytes"),
        "error": _("Error"),
    }
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(headings[column])
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else escape(str(value or ""))


@webhooks.command()
@click.argument("webhook_id", type=int, metavar="ID")
@click.option("--dead", is_flag=True, help="A part that could not be applied, instead of a whole webhook.")
@click.pass_obj
def show(program: Program, webhook_id: int, dead: bool) -> None:
    """Show the JSON of one, as it came (without secrets and files)."""

    async def read(kernel: Kernel) -> str | None:
        found: str | None = await kernel.db.fetch_value(ONE_DEAD if dead else ONE, webhook_id)
        return found

    told = program.run(read)
    if told is None:
        raise NotFound("not_found", _("There is none with the ID {}; it may be past its time.").format(webhook_id))
    click.echo(json.dumps(json.loads(told), indent=2, ensure_ascii=False))


@webhooks.command("replay")
@click.argument("ids", type=int, nargs=-1, metavar="[ID]…")
@click.option("--since", metavar="HOURS", type=click.FloatRange(min=0, min_open=True), help="All of the last hours.")
@click.option("--provider", help="Only of this provider.")
@click.option("--instance", type=click.UUID, help="Only of this number, by its id.")
@click.pass_obj
def replay_webhooks(
    program: Program, *, ids: Sequence[int], since: float | None, provider: str | None, instance: UUID | None
) -> None:
    """Apply stored webhooks again: what is there stays as it is, what was missing comes in."""
    configure_logs(program.settings.logging)
    if not ids and since is None:
        raise click.UsageError(_("Say which: IDs of `elsehu webhooks list`, or --since HOURS."))
    start = datetime.now(UTC) - timedelta(hours=since) if since is not None else None
    troubled = program.run(lambda kernel: _replay(kernel, Choice(ids or None, start, provider, instance)))
    for one in troubled[:SHOWN_TROUBLES]:
        click.echo(f"{one.id}: {'; '.join(one.troubles)}", err=True)
    if troubled:
        raise SystemExit(1)


async def _replay(kernel: Kernel, choice: Choice) -> list[Replayed]:
    total = await count(kernel, choice)
    applied, troubled = 0, []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(_("Webhooks"), total=total)
        async for one in replay(kernel, choice):
            applied += one.applied
            troubled += [one] if one.troubles else []
            progress.advance(task)
    async with kernel.db.transaction() as uow:
        await audit.record(uow, audit.COMMAND_LINE, "webhooks_replayed", "webhooks", {"count": total})
    told = _("{} webhooks applied again with {} events; {} have parts that cannot be read.")
    click.echo(told.format(total, applied, len(troubled)))
    return troubled


@webhooks.command()
@click.argument("ids", type=int, nargs=-1, required=True, metavar="ID…")
@click.pass_obj
def resolve(program: Program, ids: Sequence[int]) -> None:
    """Put away parts that could not be applied (IDs of `list --dead`), once you have seen to them."""

    async def write(kernel: Kernel) -> int:
        async with kernel.db.transaction() as uow:
            rows = await uow.fetch(RESOLVE, list(ids))
            details = {"ids": [row["id"] for row in rows]}
            await audit.record(uow, audit.COMMAND_LINE, "dead_letters_resolved", "webhooks", details)
        return len(rows)

    click.echo(_("{} put away.").format(program.run(write)))
