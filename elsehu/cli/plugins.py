"""`elsehu plugins`: what is installed, what is enabled, and what each implements."""

from importlib.metadata import EntryPoint

import click
from rich.console import Console
from rich.table import Column, Table

from elsehu.cli.program import Program
from elsehu.cli.texts import _
from elsehu.plugins import Plugin, installed

LONGEST_HOOK = 20


@click.command()
@click.pass_obj
def plugins(program: Program) -> None:
    """List the installed plugins, which of them are enabled, and the hooks that each of these implements."""
    enabled = {plugin.info.name: plugin for plugin in program.plugins.loaded}
    hooks = Column(_("Hooks"), overflow="fold", min_width=LONGEST_HOOK)
    table = Table(_("Plugin"), _("Version"), _("Enabled"), _("What it is"), hooks)
    for name, entries in sorted(installed().items()):
        for entry in entries:
            table.add_row(*_row(name, entry, enabled.get(name)))
    Console().print(table)


def _row(name: str, entry: EntryPoint, plugin: Plugin | None) -> list[str]:
    version = entry.dist.version if entry.dist else "?"
    if plugin is None:
        return [name, version, _("no"), "", ""]
    hooks = ", ".join(sorted(hook for hook in plugin.hooks if hook != "plugin_info"))
    return [name, version, _("yes"), plugin.info.summary, hooks]
