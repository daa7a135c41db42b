"""`elsehu contacts import`: contacts out of a file, with this process doing what else a worker does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from elsehu.cli.program import Program, say
from elsehu.cli.texts import _
from elsehu.http.logs import configure_logs
from elsehu.http.operations import invalid
from elsehu.identity import audit
from elsehu.kernel import Kernel
from elsehu.media.names import safe_name
from elsehu.messaging.contacts.importing import running
from elsehu.messaging.contacts.importing.listing import ErrorTable, find, import_view
from elsehu.messaging.contacts.importing.running import Watch
from elsehu.messaging.contacts.importing.schemas import ColumnMapping, ImportForm
from elsehu.messaging.contacts.importing.storing import Asked, look_at, store
from elsehu.sheets import Meaning, csv_lines

File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def contacts() -> None:
    """Bring contacts in."""


@contacts.command("import")
@click.argument("file", type=File)
@click.option(
    "--mapping",
    "pairs",
    multiple=True,
    metavar="WHAT=COLUMN",
    help="What a column holds: phone, name, email, tags, or an own field of any other name. Without COLUMN it is not "
    "taken. Repeat it for several columns; what it does not say is guessed.",
)
@click.option("--region", metavar="BR", help="The country of phones without a country code.")
@click.option("--errors", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the rows that failed.")
@click.pass_obj
def import_contacts(
    program: Program, file: Path, pairs: Sequence[str], region: str | None, errors: Path | None
) -> None:
    """Import the contacts of FILE: CSV or XLSX. Whose phone is known is completed; nothing is emptied.

    If this is stopped, a running worker goes on with it within two minutes.
    """
    configure_logs(program.settings.logging)
    asked = _asked(program, file, pairs, region)
    kept = errors or file.with_name(f"{file.stem}-errors.csv")
    view = program.run(lambda kernel: _import(kernel, asked, kept))
    _tell(view, kept)


def _asked(program: Program, file: Path, pairs: Sequence[str], region: str | None) -> Asked:
    try:
        mapping = ColumnMapping.model_validate(_mapping(pairs))
        form = ImportForm.model_validate({"defaultRegion": region or program.settings.messaging.default_region})
    except ValidationError as error:
        problems = [f"{one.field}: {one.message}" for one in invalid(error).errors]
        raise click.UsageError("\n".join(problems)) from None
    assert form.default_region is not None
    return Asked(file, safe_name(file.name, ""), mapping, form.default_region)


def _mapping(pairs: Sequence[str]) -> Mapping[str, Any]:
    """Return what `--mapping` says as the API takes it."""
    said: dict[str, str] = {}
    for pair in pairs:
        what, equals, column = pair.partition("=")
        if not equals or what in said:
            raise click.UsageError(_("--mapping {}: write WHAT=COLUMN, each WHAT once.").format(pair))
        said[what] = column
    known: dict[str, Any] = {what: said.pop(what) or None for what in list(said) if what in set(Meaning)}
    return {**known, "custom": {name: column for name, column in said.items() if column}} if said else known


async def _import(kernel: Kernel, asked: Asked, errors: Path) -> dict[str, Any]:
    await look_at(asked)
    async with kernel.db.transaction() as uow:
        import_id = await store(uow, asked, audit.COMMAND_LINE)
    with _bar() as watch:
        await running.run(kernel, import_id, watch=watch)
    view = import_view(await find(kernel.db, import_id))
    if view["failed"]:
        await _write_errors(kernel, import_id, errors)
    return view


@contextmanager
def _bar() -> Iterator[Watch]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(_("Reading"), total=None)

        def watch(now: running.Progress) -> None:
            words = _("Reading") if now.total is None else _("Merging")
            done = now.read if now.total is None else now.merged
            progress.update(task, description=words, total=now.total, completed=done)

        yield watch


async def _write_errors(kernel: Kernel, import_id: UUID, path: Path) -> None:
    table = ErrorTable(await find(kernel.db, import_id))
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(csv_lines(table.header, ()))
        async for rows in table.pages(kernel.db):
            file.writelines(csv_lines(rows[0], rows[1:], bom=False))


def _tell(view: Mapping[str, Any], errors: Path) -> None:
    if view["error"]:
        raise click.ClickException(view["error"]["detail"])
    text = _("{total} rows: {created} created, {updated} updated, {skipped} with nothing new, {failed} failed.")
    click.echo(text.format(**view))
    if view["failed"]:
        say(_("The rows that failed are in {}, each with the reason. Correct that file and import it.").format(errors))
