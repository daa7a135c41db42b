"""`elsehu campaign …`: look at campaigns, and stop them, from the server's own command line."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from elsehu.plugin import COMMAND_LINE, DomainError, Kernel, Runner, UnitOfWork, record_audit
from elsehu_campaigns import queries, steering
from elsehu_campaigns.jobs import wake
from elsehu_campaigns.model import Campaign, find
from elsehu_campaigns.outcomes import STATUSES
from elsehu_campaigns.routes import cancel as cancel_campaign
from elsehu_campaigns.routes import pause as pause_campaign

MOST = 50


@click.group("campaign")
def campaign_group() -> None:
    """Look at campaigns, pause, resume and cancel them."""


@campaign_group.command("list")
@click.option("--state", help="Only those in this state: draft, scheduled, running, paused, …")
@click.pass_obj
def list_campaigns(runner: Runner, state: str | None) -> None:
    """List the newest campaigns."""
    page = _run(runner, lambda kernel: queries.page(kernel, state, MOST, None))
    table = Table("Id", "Name", "State", "Recipients", "Pending", "Failed")
    for one in page["items"]:
        stats = one["stats"] or {}
        figures = [str(stats.get(name, "")) for name in ("total", "pending", "failed")]
        table.add_row(one["id"], one["name"], one["state"], *figures)
    Console().print(table)


@campaign_group.command()
@click.argument("campaign_id", type=click.UUID)
@click.pass_obj
def show(runner: Runner, campaign_id: UUID) -> None:
    """Show a campaign and what became of its recipients."""
    shown = _run(runner, lambda kernel: queries.one(kernel, campaign_id))
    _say(shown)
    for name in ("stateReason", "holdReason"):
        if shown[name]:
            click.echo(shown[name])
    click.echo("\n".join(_figures(shown["stats"])))


def _figures(stats: dict[str, Any]) -> Sequence[str]:
    lines = [f"{stats[name]:>8}  {name}" for name in STATUSES if name != "skipped" and stats[name]]
    lines += [f"{count:>8}  skipped: {reason}" for reason, count in stats["skipped"].items()]
    tail = [f"{stats['rate']} messages/s, until about {stats['eta']}"] if stats["rate"] else []
    return [*lines, f"{stats['total']:>8}  in all", *tail]


@campaign_group.command()
@click.argument("campaign_id", type=click.UUID)
@click.pass_obj
def pause(runner: Runner, campaign_id: UUID) -> None:
    """Pause a campaign: nothing more leaves."""
    _steer(runner, campaign_id, "campaign_paused", pause_campaign, stops=True)


@campaign_group.command()
@click.argument("campaign_id", type=click.UUID)
@click.pass_obj
def resume(runner: Runner, campaign_id: UUID) -> None:
    """Let a paused campaign go on where it was."""
    _steer(runner, campaign_id, "campaign_resumed", steering.resume)


@campaign_group.command()
@click.argument("campaign_id", type=click.UUID)
@click.pass_obj
def cancel(runner: Runner, campaign_id: UUID) -> None:
    """Stop a campaign for good."""
    _steer(runner, campaign_id, "campaign_cancelled", cancel_campaign, stops=True)


def _steer(
    runner: Runner,
    campaign_id: UUID,
    action: str,
    step: Callable[[UnitOfWork, Campaign, datetime], Awaitable[Campaign]],
    *,
    stops: bool = False,
) -> None:
    async def work(kernel: Kernel) -> dict[str, Any]:
        if stops:
            await steering.halt(kernel, campaign_id)
        async with kernel.db.transaction() as uow:
            await step(uow, await find(uow, campaign_id), kernel.now())
            await record_audit(uow, COMMAND_LINE, action, f"campaign:{campaign_id}")
        await wake(kernel)
        return await queries.one(kernel, campaign_id)

    _say(_run(runner, work))


def _say(shown: dict[str, Any]) -> None:
    click.echo(f"{shown['name']} is {shown['state']}.")


def _run(runner: Runner, work: Callable[[Kernel], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    try:
        return runner.run(work)
    except DomainError as error:
        raise click.ClickException(error.detail) from None
