"""The examination: from what everything needs to what needs everything."""

from collections.abc import AsyncIterator, Sequence

from elsehu.contracts.errors import ConfigError
from elsehu.doctor.findings import Finding, State, broken, ok, skipped
from elsehu.doctor.installation import check_installation
from elsehu.doctor.machine import check_disk
from elsehu.doctor.servers import check_database, check_redis
from elsehu.kernel import open_kernel
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Try everything, each as soon as what it needs was found well. `settings` name both servers."""
    yield check_disk(settings.data_dir)
    plugins, finding = _plugins(settings)
    yield finding
    database = await check_database(settings, plugins)
    redis = await check_redis(settings)
    for finding in (*database, *redis):
        yield finding
    lacking = _lacking(plugins, database, redis)
    if lacking or plugins is None:
        yield skipped("numbers, storage, public URL, workers, jobs", lacking)
        return
    async with open_kernel(settings, plugins) as kernel:
        for finding in await check_installation(kernel):
            yield finding


def _plugins(settings: Settings) -> tuple[Plugins | None, Finding]:
    try:
        plugins = load_plugins(settings)
    except ConfigError as error:
        return None, broken("plugins", error.detail, "Then run `elsehu config check`, and restart all processes.")
    names = ", ".join(f"{one.info.name} (hook API {one.info.hook_api})" for one in plugins.loaded)
    return plugins, ok("plugins", names)


def _lacking(plugins: Plugins | None, database: Sequence[Finding], redis: Sequence[Finding]) -> str:
    """Return what the rest cannot be tried without, or nothing."""
    needs = {
        "plugins that load": plugins is not None,
        "the database": database[0].state is not State.BROKEN,
        "its migrations": all(one.state is not State.BROKEN for one in database if one.subject == "migrations"),
        "Redis": redis[0].state is not State.BROKEN,
    }
    return " and ".join(name for name, is_there in needs.items() if not is_there)
