"""The servers that Elsehu works on: PostgreSQL and Redis."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from elsehu.doctor.findings import Finding, broken, ok, warning
from elsehu.doctor.machine import check_clock
from elsehu.plugins import Plugins
from elsehu.schema import KERNEL_APPS, pending, plugin_apps
from elsehu.settings import Settings

PATIENCE = 5.0
OLDEST = 150000
SHOWN = 3
NEWER = "PostgreSQL 15 or later is needed: upgrade the server."
FACTS = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       clock_timestamp() AS now, current_setting('max_connections')::int AS most,
       (SELECT count(*) FROM pg_stat_activity) AS used, pg_is_in_recovery() AS is_standby
"""


async def check_database(settings: Settings, plugins: Plugins | None) -> Sequence[Finding]:
    """Connect to PostgreSQL, and see whether it is one that Elsehu can work on."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    started = time.perf_counter()
    try:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fix = "Start PostgreSQL, let this machine reach it, and check host, user and password in DATABASE_URL."
        return [broken("database", f"PostgreSQL cannot be reached: {_reason(error)}", fix)]
    try:
        facts = await connection.fetchrow(FACTS)
        elapsed = (time.perf_counter() - started) * 1000
        lacking = await pending(connection, [*KERNEL_APPS, *plugin_apps(plugins)])
    finally:
        await connection.close()
    return [
        _server(facts, elapsed),
        _migrations(lacking),
        check_clock("PostgreSQL", facts["now"], datetime.now(UTC)),
    ]


def _server(facts: asyncpg.Record, elapsed: float) -> Finding:
    detail = (
        f"PostgreSQL {facts['version']} answered in {elapsed:.0f} ms; {facts['used']} of {facts['most']} connections"
    )
    if facts["number"] < OLDEST:
        return broken("database", detail, NEWER)
    if facts["is_standby"]:
        return broken("database", f"{detail}; it is a standby", "Let DATABASE_URL name the primary server.")
    if facts["used"] > 0.9 * facts["most"]:
        return warning("database", detail, "Raise max_connections, or lower [database] pool_max or the processes.")
    return ok("database", detail)


def _migrations(lacking: Sequence[str]) -> Finding:
    if lacking:
        names = ", ".join(lacking[:SHOWN]) + (" …" if len(lacking) > SHOWN else "")
        return broken("migrations", f"the database lacks {len(lacking)} ({names})", "Run `elsehu migrate`.")
    return ok("migrations", "all have been run")


async def check_redis(settings: Settings) -> Sequence[Finding]:
    """Connect to Redis or Valkey."""
    assert settings.redis_url is not None
    url = settings.redis_url.get_secret_value()
    try:
        async with asyncio.timeout(PATIENCE), Redis.from_url(url, socket_connect_timeout=PATIENCE) as redis:
            info = await redis.info()
            seconds, micros = await redis.time()
    except (RedisError, OSError, ValueError) as error:
        fix = "Start Redis or Valkey, let this machine reach it, and check REDIS_URL."
        return [broken("redis", f"Redis cannot be reached: {_reason(error)}", fix)]
    theirs = datetime.fromtimestamp(seconds + micros / 1e6, UTC)
    return [_memory(info), check_clock("Redis", theirs, datetime.now(UTC))]


def _memory(info: dict[str, object]) -> Finding:
    name = info.get("server_name", "redis")
    version = info.get("valkey_version") or info.get("redis_version")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        fix = "Set maxmemory-policy noeviction, or jobs that were asked for can vanish."
        return warning("redis", f"{name} {version} may drop keys ({policy})", fix)
    return ok("redis", f"{name} {version} answered")


def _reason(error: BaseException) -> str:
    """Return what an error says; none of these shows a password."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
