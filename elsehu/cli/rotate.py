"""`elsehu rotate-key`: the second step of changing the secret key (docs/operations.md)."""

import click

from elsehu.cli.program import Program
from elsehu.cli.texts import _


@click.command("rotate-key")
@click.pass_obj
def rotate_key(program: Program) -> None:
    """Encrypt what is kept encrypted anew, with the first of the secret keys.

    Put the new key in front of the old one and restart all processes before.
    """
    from elsehu.instances.rotation import rotate_credentials

    unreadable = program.run(rotate_credentials)
    if unreadable:
        names = ", ".join(map(str, unreadable))
        text = _("No key reads the credentials of these numbers; enter them again, or put the key back: {}.")
        raise click.ClickException(text.format(names))
    click.echo(_("All credentials are encrypted with the first key."))
