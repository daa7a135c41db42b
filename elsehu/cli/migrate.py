"""`elsehu migrate`: make a database ready for this version."""

import asyncio

import click

from elsehu.cli.program import Program, about_admin, say
from elsehu.cli.texts import _
from elsehu.first_start import FirstStart, ensure_migrated, ensure_usable, unmigrated
from elsehu.plugins import Plugins
from elsehu.settings import Settings


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if there is something to do.")
@click.pass_obj
def migrate(program: Program, check: bool) -> None:
    """Bring the database to this version's tables, and make the first ADMIN if there is none.

    Safe to run again, and from several places at once.
    """
    from elsehu.services import connected

    plugins = program.plugins
    with connected(program.settings, say) as settings:
        if check:
            _check(asyncio.run(unmigrated(settings, plugins)))
        else:
            _tell(*asyncio.run(_migrate(settings, plugins)))


async def _migrate(settings: Settings, plugins: Plugins) -> tuple[list[str], FirstStart | None]:
    done = await ensure_migrated(settings, plugins, say)
    return done, await ensure_usable(settings, plugins, with_sandbox=False)


def _check(lacking: list[str]) -> None:
    if lacking:
        raise click.ClickException(_("The database lacks: {}.").format(", ".join(lacking)))
    click.echo(_("The database is up to date."))


def _tell(done: list[str], first: FirstStart | None) -> None:
    for name in done:
        click.echo(_("done: {}").format(name))
    if first:
        click.echo(about_admin(first))
    click.echo(_("The database is up to date."))
