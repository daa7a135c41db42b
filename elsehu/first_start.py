"""What a database needs before Elsehu works on it: its tables, somebody who may log in, something to try.

Asked at every start of `elsehu serve`, so the usual answer, that all is there, costs one short connection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg

from elsehu.contracts.errors import ElsehuError
from elsehu.plugins import Plugins
from elsehu.schema import KERNEL_APPS, pending, plugin_apps
from elsehu.settings import Settings

MISSING = """
SELECT NOT EXISTS (SELECT FROM users WHERE role = 'ADMIN') AS no_admin,
       NOT EXISTS (SELECT FROM service_instances) AS no_instance
"""
SANDBOX_NAME = "Sandbox"
SANDBOX = {
    "name": SANDBOX_NAME,
    "phone": "+5511900000000",
    "provider": "sandbox",
    "credentials": {},
    "settings": {"script": "hello"},
}


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made for a newcomer: the first ADMIN (a password only if it was generated), a number to try."""

    email: str
    password: str | None
    instance_name: str | None


async def unmigrated(settings: Settings, plugins: Plugins) -> list[str]:
    """Return the migrations that the database still lacks. Raises one of `db.CONNECTION_LOST`."""
    connection = await asyncpg.connect(_url(settings))
    try:
        return list(await pending(connection, [*KERNEL_APPS, *plugin_apps(plugins)]))
    finally:
        await connection.close()


async def check_migrated(settings: Settings, plugins: Plugins) -> None:
    """Raise ElsehuError `not_migrated` if the database lacks migrations."""
    lacking = await unmigrated(settings, plugins)
    if lacking:
        names = ", ".join(lacking)
        raise ElsehuError("not_migrated", f"The database lacks migrations ({names}). Run `elsehu migrate`.")


async def ensure_migrated(settings: Settings, plugins: Plugins, progress: Callable[[str], None]) -> list[str]:
    """Run the migrations that the database lacks; return their names."""
    lacking = await unmigrated(settings, plugins)
    if lacking:
        from elsehu.migrating import migrate

        progress("Preparing the database")
        await migrate(_url(settings), plugins)
    return lacking


async def ensure_usable(settings: Settings, plugins: Plugins, *, with_sandbox: bool) -> FirstStart | None:
    """Make the first ADMIN (with the default tabulations) if there is none, and on request a number to try.

    Returns what a newcomer must be told, or None if there was an ADMIN. Raises ConfigError if the ADMIN cannot be
    what the settings say.
    """
    missing = await _missing(settings)
    wants_sandbox = with_sandbox and missing["no_instance"] and plugins.spec("sandbox") is not None
    return await _make(settings, plugins, wants_sandbox) if missing["no_admin"] or wants_sandbox else None


async def _missing(settings: Settings) -> Mapping[str, bool]:
    connection = await asyncpg.connect(_url(settings))
    try:
        return dict(await connection.fetchrow(MISSING))
    finally:
        await connection.close()


async def _make(settings: Settings, plugins: Plugins, wants_sandbox: bool) -> FirstStart | None:
    from elsehu.desk.defaults import ensure_default_tabulations
    from elsehu.identity.bootstrap import ensure_first_admin
    from elsehu.instances import editing
    from elsehu.instances.schemas import NewInstance
    from elsehu.kernel import open_kernel

    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    async with open_kernel(settings, plugins) as kernel, kernel.db.transaction() as uow:
        admin = await ensure_first_admin(uow, settings, settings.admin_email, password)
        if admin is not None:
            await ensure_default_tabulations(uow)
        if wants_sandbox:
            await editing.create(uow, kernel, NewInstance.model_validate(SANDBOX))
    if admin is None:
        return None
    return FirstStart(
        admin.email, admin.password if admin.is_generated else None, SANDBOX_NAME if wants_sandbox else None
    )


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()
