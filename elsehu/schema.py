"""Which migrations there are, and which of them a database still lacks: read from the files, without Piccolo.

Every start asks this, so it must cost no imports. Where a plugin's files do not tell, all of its migrations
count as lacking: `elsehu migrate` then asks Piccolo itself.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from elsehu.plugins import Plugins

if TYPE_CHECKING:
    import asyncpg

KERNEL_APPS = (
    "elsehu.http.piccolo_app",
    "elsehu.events.piccolo_app",
    "elsehu.jobs.piccolo_app",
    "elsehu.identity.piccolo_app",
    "elsehu.instances.piccolo_app",
    "elsehu.media.piccolo_app",
    "elsehu.messaging.piccolo_app",
    "elsehu.desk.piccolo_app",
    "elsehu.reporting.piccolo_app",
)
MIGRATION_ID = re.compile(r"""^ID\s*=\s*["']([^"']+)["']""", re.MULTILINE)
UNKNOWN = "?"


def plugin_apps(plugins: Plugins | None) -> list[str]:
    """Return the dotted names of the plugins' Piccolo apps."""
    return [name for _, name in plugins.registered("register_tables")] if plugins else []


def migrations_of(app: str) -> list[tuple[str, str]]:
    """Return (app name, migration id) of every migration of a Piccolo app, given by its dotted name."""
    spec = find_spec(app)
    if spec is None or spec.origin is None:
        return [(app, UNKNOWN)]
    file = Path(spec.origin)
    name = _app_name(file.read_text(encoding="utf-8"))
    found = [MIGRATION_ID.search(one.read_text(encoding="utf-8")) for one in _migration_files(file.parent)]
    if name is None or not found:
        return [(app, UNKNOWN)]
    return [(name, match[1] if match else UNKNOWN) for match in found]


async def pending(connection: "asyncpg.Connection", apps: Iterable[str]) -> Sequence[str]:
    """Return the migrations of `apps` that have not been run, as `app: id`; empty where all have."""
    has_table = await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL")
    rows = await connection.fetch("SELECT app_name, name FROM migration") if has_table else []
    done = {(row["app_name"], row["name"]) for row in rows}
    return [f"{app}: {name}" for module in apps for app, name in migrations_of(module) if (app, name) not in done]


def _app_name(source: str) -> str | None:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "app_name" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return None


def _migration_files(folder: Path) -> list[Path]:
    return [one for one in sorted((folder / "piccolo_migrations").glob("*.py")) if not one.name.startswith("__")]
