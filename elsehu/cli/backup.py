"""`elsehu backup create` and `restore`: database and media in one file, and back."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from elsehu.backup import Restored, create, read_manifest, restore
from elsehu.backup.manifest import Manifest
from elsehu.backup.restoring import check_keys
from elsehu.cli.program import Program, say
from elsehu.cli.texts import _
from elsehu.contracts.errors import ElsehuError
from elsehu.http.logs import configure_logs
from elsehu.kernel import Kernel

SHOWN = 5


@click.group()
def backup() -> None:
    """Back up the installation, and restore it."""


@backup.command("create")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def create_backup(program: Program, file: Path) -> None:
    """Write database and media to FILE, while Elsehu runs.

    The secret key is not in it: keep a copy of that elsewhere.
    """
    configure_logs(program.settings.logging)
    manifest, missing = program.run(lambda kernel: _create(kernel, file))
    click.echo(_("{}: the database and {} files ({:,} bytes).").format(file, manifest.files, manifest.size))
    if missing:
        told = _("{} files were not in storage: {}")
        click.echo(told.format(len(missing), ", ".join(missing[:SHOWN])), err=True)


async def _create(kernel: Kernel, file: Path) -> tuple[Manifest, list[str]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(_("database"), total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=_(what), completed=done, total=total or None)

        return await create(kernel, file, told)


@backup.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def restore_backup(program: Program, file: Path) -> None:
    """Restore FILE into an empty installation: a new data directory, or an empty database.

    It needs the secret key that the backup was made with (ELSEHU_SECRET_KEY, or `secret_key` in the data directory).
    What was on its way to customers becomes `unconfirmed`; campaigns that ran are paused.
    """
    from elsehu.services import connected

    configure_logs(program.settings.logging)
    check_keys(read_manifest(file), program.settings)
    with connected(program.settings, say) as settings:
        restored = asyncio.run(restore(settings, program.plugins, file, say))
    click.echo(_about(restored))


def _about(restored: Restored) -> str:
    text = _("Restored as it was at {:%Y-%m-%d %H:%M} UTC, with {} files. {} messages were on their way: see to them.")
    return text.format(restored.manifest.created_at, restored.files, restored.unconfirmed)


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def show(file: Path) -> None:
    """Show what a backup says of itself."""
    try:
        click.echo(read_manifest(file).encode().decode())
    except ElsehuError as error:
        raise click.ClickException(error.detail) from None
