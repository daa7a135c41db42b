"""Why the bundled servers did not start."""

from pathlib import Path

from elsehu.contracts.errors import ConfigError


class EmbeddedError(ConfigError):
    """The bundled servers cannot run.

    Its code is one of `data_dir_in_use`, `data_dir_not_yours`, `data_dir_unusable`, `no_account`, `not_installed`,
    `postgres_version`, `postgres_failed`, `valkey_failed`.
    """


def last_lines(log: Path, since: int = 0, count: int = 12) -> str:
    """Return the last `count` lines that `log` got after its first `since` bytes, indented for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in lines[-count:])
