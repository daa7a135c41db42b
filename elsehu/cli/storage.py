"""`elsehu storage check` and `migrate`: does a storage work, and moving what one keeps to another."""

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from elsehu.cli.program import Program, say
from elsehu.cli.texts import _
from elsehu.contracts.errors import ConfigError
from elsehu.http.logs import configure_logs
from elsehu.identity import audit
from elsehu.kernel import Kernel
from elsehu.media.checking import check_storage
from elsehu.media.moving import GRACE, Amount, Move, Tally, kept_in, move, originals_kept

SHOWN_FAILURES = 20


@click.group()
def storage() -> None:
    """Check where media is kept, and move it."""


@storage.command()
@click.argument("name", required=False)
@click.pass_obj
def check(program: Program, name: str | None) -> None:
    """Store, read and delete a small file in the storage NAME (default: the one of [media] storage)."""
    configure_logs(program.settings.logging)
    plugin = _storage(program, name) if name else program.plugins.storage_name

    async def work(kernel: Kernel) -> None:
        await check_storage(kernel, plugin)

    program.run(work)
    click.echo(_("{}: all is well.").format(plugin))


@storage.command()
@click.option("--from", "source", required=True, metavar="NAME", help="The storage that keeps the files now.")
@click.option("--to", "target", required=True, metavar="NAME", help="The storage that is to keep them.")
@click.option("--delete-source", is_flag=True, help="Have the originals deleted, a while after they were moved.")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="How many files at a time.")
@click.option("--dry-run", is_flag=True, help="Only say how much there is to move.")
@click.pass_obj
def migrate(program: Program, *, source: str, target: str, delete_source: bool, at_once: int, dry_run: bool) -> None:
    """Move all files from one storage to another, while Elsehu runs. Run it again if it was stopped: it goes on.

    A storage is called as its plugin, with or without `storage_` (`local`, `storage_s3`). Both must be enabled.
    """
    configure_logs(program.settings.logging)
    asked = Move(_storage(program, source), _storage(program, target), delete_source, at_once)
    if asked.source == asked.target:
        raise click.UsageError(_("The files are to go from {0} to {0}: name two storages.").format(asked.source))
    if dry_run:
        kept = program.run(lambda kernel: kept_in(kernel, asked.source))
        click.echo(_("{} to move from {} to {}.").format(_amount(kept), asked.source, asked.target))
        return
    tally, kept_originals = program.run(lambda kernel: _migrate(kernel, asked))
    _tell(program, asked, tally, kept_originals)
    if tally.failed:
        raise click.exceptions.Exit(1)


async def _migrate(kernel: Kernel, asked: Move) -> tuple[Tally, int]:
    await check_storage(kernel, asked.target)
    tally = await _with_progress(kernel, asked)
    details = {"files": tally.moved.files, "bytes": tally.moved.size, "failed": len(tally.failed)}
    async with kernel.db.transaction() as uow:
        subject = f"storage:{asked.target}"
        await audit.record(uow, audit.COMMAND_LINE, "media_migrated", subject, {"from": asked.source, **details})
    return tally, await originals_kept(kernel, asked.source)


async def _with_progress(kernel: Kernel, asked: Move) -> Tally:
    total = await kept_in(kernel, asked.source)
    columns = (BarColumn(), TextColumn("{task.fields[files]}"), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total.size, files="")
        moved = 0

        def told(size: int) -> None:
            nonlocal moved
            moved += 1
            progress.update(task, advance=size, files=f"{moved}/{max(moved, total.files)}")

        return await move(kernel, asked, told)


def _tell(program: Program, asked: Move, tally: Tally, kept_originals: int) -> None:
    click.echo(_("Moved {} from {} to {}.").format(_amount(tally.moved), asked.source, asked.target))
    for file, problem in list(tally.failed.items())[:SHOWN_FAILURES]:
        say(f"{file}: {problem}")
    if tally.failed:
        text = _("{} files stay in {}. Mend what is said above and run this again.")
        say(text.format(len(tally.failed), asked.source))
    if kept_originals:
        text = _("{} originals are kept in {}. Run this again with --delete-source when you need them no longer.")
        say(text.format(kept_originals, asked.source))
    elif asked.deletes_originals:
        text = _("The hourly sweep deletes the originals from {} minutes on: leave {} enabled for two hours.")
        say(text.format(int(GRACE.total_seconds() / 60), asked.source))
    if program.plugins.storage_name == asked.source:
        text = _("New files still go to {}. Set [media] storage to {}, restart, and run this once more.")
        say(text.format(asked.source, asked.target))


def _amount(amount: Amount) -> str:
    return _("{} files ({})").format(amount.files, decimal(amount.size))


def _storage(program: Program, name: str) -> str:
    """Return the full name of an enabled storage plugin. Raises ConfigError."""
    enabled = program.plugins.storages()
    for candidate in (name, f"storage_{name}"):
        if candidate in enabled:
            return candidate
    text = _(
        "{}: no enabled plugin is the storage {!r} (enabled: {}). Add it to [plugins] enabled, with the table "
        "that it needs, and restart Elsehu before files are moved."
    )
    raise ConfigError("storage_not_found", text.format(program.settings.file_name, name, ", ".join(enabled)))
