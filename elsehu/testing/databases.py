"""A fresh, migrated database for each test: cloned from a template that is migrated once."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from elsehu.plugins import Plugins, installed
from elsehu.schema import plugin_apps
from elsehu.settings import DEFAULT_PLUGINS, Settings

TEMPLATE = "elsehu_template"


class Services(Protocol):
    """PostgreSQL and Valkey that run; `elsehu.embedded.EmbeddedServices` is one."""

    @property
    def database_url(self) -> str:
        """PostgreSQL's URL."""
        ...

    @property
    def redis_url(self) -> str:
        """Valkey's URL."""
        ...


def with_database(url: str, name: str) -> str:
    """Return `url` with another database name."""
    return urlunsplit(urlsplit(url)._replace(path="/" + name))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(with_database(url, "postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def make_template(url: str) -> None:
    """Create and migrate the template database, with the tables of the usual plugins that are installed."""
    asyncio.run(_execute(url, f"CREATE DATABASE {TEMPLATE}"))
    settings = Settings(plugins={"enabled": [name for name in DEFAULT_PLUGINS if name in installed()]})
    _migrate(with_database(url, TEMPLATE), settings)


def migrate_plugins(url: str, settings: Settings, plugins: Plugins) -> None:
    """Run the migrations of the enabled plugins, if they have any."""
    if plugin_apps(plugins):
        _migrate(url, settings)


def _migrate(url: str, settings: Settings) -> None:
    """Migrate in a process of its own: Piccolo finds its engine by import."""
    code = (
        "import asyncio, json, sys; from elsehu.migrating import migrate; from elsehu.plugins import load_plugins; "
        "from elsehu.settings import Settings; "
        "asyncio.run(migrate(sys.argv[1], load_plugins(Settings(plugins=json.loads(sys.argv[2])))))"
    )
    command = [sys.executable, "-c", code, url, json.dumps(settings.plugins)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_clean_environment())


def _clean_environment() -> dict[str, str]:
    ours = ("ELSEHU_", "DATABASE_", "REDIS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def clone_template(url: str, template: str = TEMPLATE) -> str:
    """Return the URL of a new database with the tables of `template`."""
    name = f"test_{uuid4().hex[:12]}"
    await _execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return with_database(url, name)


async def drop(url: str) -> None:
    """Drop the database at `url`, whoever is still connected.

    PostgreSQL lets nobody but a superuser end an autovacuum by force; without force it ends that by itself.
    """
    name = urlsplit(url).path.lstrip("/")
    try:
        await _execute(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    except asyncpg.InsufficientPrivilegeError:
        await _execute(url, f"DROP DATABASE IF EXISTS {name}")
