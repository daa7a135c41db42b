"""`elsehu config check` and `show`: is the configuration right, and what does it come to?"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.table import Table

from elsehu.cli.program import Program
from elsehu.cli.texts import _
from elsehu.configuration import Sources, load_with_sources
from elsehu.environment import keys
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

MASK = "***"


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@click.pass_obj
def check(program: Program) -> None:
    """Say whether Elsehu could start as it is configured. Touches no database."""
    from elsehu.app import operations_of, registry_of
    from elsehu.known_jobs import jobs_of
    from elsehu.services import has_urls

    has_urls(program.settings)
    operations_of(program.plugins)
    registry_of(program.plugins)
    jobs_of(program.plugins)
    click.echo(_("{}: all is well.").format(program.settings.file_name))


@config.command()
@click.option("--changed", is_flag=True, help="Only what is not the default.")
def show(changed: bool) -> None:
    """Show every setting and where its value comes from. Secrets are masked."""
    settings, sources = load_with_sources()
    table = Table(_("Key"), _("Value"), _("From"))
    for key, value, origin in [*_kernel_rows(settings, sources), *_plugin_rows(load_plugins(settings), sources)]:
        if origin != "default" or not changed:
            table.add_row(key, value, origin)
    Console(soft_wrap=True).print(table)


def _kernel_rows(settings: Settings, sources: Sources) -> Iterator[tuple[str, str, str]]:
    for key, _field in keys():
        value: Any = settings
        for part in key:
            value = getattr(value, part)
        yield ".".join(key), shown(value), sources.origin(key)
    yield "plugins.enabled", shown(list(settings.enabled_plugins)), sources.origin(("plugins", "enabled"))


def _plugin_rows(plugins: Plugins, sources: Sources) -> Iterator[tuple[str, str, str]]:
    for plugin in plugins.loaded:
        given: BaseModel = plugin.context.config
        for name in type(given).model_fields:
            key = ("plugins", plugin.info.name, name)
            yield ".".join(key), shown(getattr(given, name)), sources.origin(key)


def shown(value: Any) -> str:
    """Return a value as it may be seen: of a secret nothing, of a secret URL what is no secret."""
    match value:
        case None:
            text = ""
        case SecretStr():
            text = _without_secrets(value.get_secret_value())
        case bool():
            text = str(value).lower()
        case BaseModel():
            text = shown({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            text = ", ".join(f"{name}: {shown(one)}" for name, one in value.items())
        case list() | tuple() | set() | frozenset():
            text = ", ".join(shown(one) for one in value)
        case _:
            text = str(value)
    return text


def _without_secrets(text: str) -> str:
    parts = urlsplit(text) if "://" in text else None
    if parts is None or not parts.scheme:
        return MASK
    where = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{MASK + '@' if '@' in parts.netloc else ''}{where}{parts.path}"
