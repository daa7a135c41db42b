"""`elsehu migrate`: bring the database to this version's tables."""

import asyncio

import click

from elsehu.cli.program import Program, say
from elsehu.cli.texts import _


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if there is something to do.")
@click.pass_obj
def migrate(program: Program, check: bool) -> None:
    """Bring the database to this version's tables. Safe to run again, and from several places at once."""
    from elsehu.first_start import unmigrated
    from elsehu.services import connected

    plugins = program.plugins
    with connected(program.settings, say) as settings:
        lacking = asyncio.run(unmigrated(settings, plugins))
        if check and lacking:
            raise click.ClickException(_("The database lacks: {}.").format(", ".join(lacking)))
        if lacking and settings.database_url:
            from elsehu import migrating

            asyncio.run(migrating.migrate(settings.database_url.get_secret_value(), plugins))
    for name in lacking:
        click.echo(_("done: {}").format(name))
    click.echo(_("The database is up to date."))
