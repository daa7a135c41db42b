"""The `elsehu` program: its own commands, each imported when it is called, and those that plugins register."""

from collections.abc import Sequence
from importlib import import_module

import click

from elsehu.cli.texts import _
from elsehu.contracts.errors import ConfigError

COMMANDS = {
    "serve": "elsehu.cli.serve:serve",
    "web": "elsehu.cli.apart:web",
    "worker": "elsehu.cli.apart:worker",
    "scheduler": "elsehu.cli.apart:scheduler",
    "migrate": "elsehu.cli.migrate:migrate",
    "user": "elsehu.cli.user:user_group",
    "rotate-key": "elsehu.cli.rotate:rotate_key",
    "storage": "elsehu.cli.storage:storage",
    "contacts": "elsehu.cli.contacts:contacts",
    "backup": "elsehu.cli.backup:backup",
    "doctor": "elsehu.cli.doctor:doctor",
    "config": "elsehu.cli.config:config",
    "audit": "elsehu.cli.audit:audit",
    "webhooks": "elsehu.cli.webhooks:webhooks",
    "tasks": "elsehu.cli.tasks:tasks",
    "plugins": "elsehu.cli.plugins:plugins",
    "plugin": "elsehu.cli.plugin:plugin_group",
}


class Commands(click.Group):
    """Finds a command by its name: ours first, so that no plugin can take the place of one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, for the help. With a broken configuration ours alone, and a word about it."""
        try:
            theirs = [name for command in _of_plugins(ctx) if (name := command.name)]
        except ConfigError as error:
            click.echo(_("The plugins' commands are missing here: {}").format(error.detail), err=True)
            theirs = []
        return [*COMMANDS, *sorted(set(theirs) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command `name`, or None."""
        if name in COMMANDS:
            module, attribute = COMMANDS[name].split(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return next((one for one in _of_plugins(ctx) if one.name == name), None)


def _of_plugins(ctx: click.Context) -> Sequence[click.Command]:
    return [command for _plugin, command in ctx.obj.plugins.registered("register_commands")]


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="elsehu", prog_name="elsehu")
def elsehu() -> None:
    """Customer service over WhatsApp and other messengers.

    `elsehu serve` runs all of it on this machine. Settings come from elsehu.toml (or the file that ELSEHU_CONFIG
    names) and from the environment.
    """
