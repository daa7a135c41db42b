"""The edge: every error that a person can do something about becomes one message and an exit code."""

import click

from elsehu.cli.texts import _
from elsehu.contracts.errors import ConfigError, ElsehuError

FAILURE = 1
CONFIGURATION = 2
INTERRUPTED = 130


def exit_code_of(error: BaseException) -> int:
    """Tell a person what happened, on standard error, and return the exit code; raise what nobody foresaw."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case ConfigError():
            return _told(error.detail, CONFIGURATION)
        case ElsehuError():
            return _told(error.detail, FAILURE)
    return _of_services(error)


def _of_services(error: BaseException) -> int:
    from redis import RedisError

    from elsehu.db import CONNECTION_LOST

    if isinstance(error, BrokenPipeError):
        return FAILURE
    if isinstance(error, RedisError):
        return _told(
            _("Redis cannot be reached ({}). Is it up, and is REDIS_URL right?").format(_reason(error)), FAILURE
        )
    if isinstance(error, CONNECTION_LOST) or _is_refused_login(error):
        text = _("PostgreSQL cannot be reached ({}). Is it up, and is DATABASE_URL right?")
        return _told(text.format(_reason(error)), FAILURE)
    raise error


def _is_refused_login(error: BaseException) -> bool:
    from asyncpg import InvalidAuthorizationSpecificationError, InvalidCatalogNameError

    return isinstance(error, InvalidAuthorizationSpecificationError | InvalidCatalogNameError)


def _reason(error: BaseException) -> str:
    """Return what an error says, without a URL's password: none of these errors shows a URL."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _told(text: str, code: int) -> int:
    click.echo(_("Error: {}").format(text), err=True)
    return code
