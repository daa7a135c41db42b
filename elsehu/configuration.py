"""Reads the settings: `elsehu.toml`, overridden by the environment, with errors that say where and how to mend.

The generated secret key in the data directory counts where nothing else gives one.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import TomlConfigSettingsSource

from elsehu.contracts.errors import ConfigError
from elsehu.environment import CONFIG_NAME, EnvironmentSource, Key, environment_name, perhaps, read_secret
from elsehu.settings import Group, Settings

DEFAULT_FILE = Path("elsehu.toml")
GENERATED_KEY = "secret_key"


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, before it was validated: the file's and the environment's trees of values."""

    file: Path | None
    in_file: Mapping[str, Any]
    in_environment: Mapping[str, Any]
    generated_key: Path | None = None

    def origin(self, key: Key) -> str:
        """Return where the value of `key` comes from: an environment name, a file, or `default`."""
        if _has(self.in_environment, key):
            return environment_name(key)
        if _has(self.in_file, key):
            return str(self.file)
        return str(self.generated_key) if key == ("secret_key",) and self.generated_key else "default"


def load_settings(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the installation's settings.

    Args:
        path: the file; default: what ELSEHU_CONFIG names, else `elsehu.toml` in the working directory if it is there.
        environment: default: the process's own.

    Raises:
        ConfigError: `config_file_missing`, `config_invalid` or `secret_file_unreadable`, naming file, key and fix.
    """
    return load_with_sources(path, environment)[0]


def load_with_sources(
    path: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Settings, Sources]:
    """Return the settings, and where each value comes from. Raises ConfigError as `load_settings` does."""
    given = os.environ if environment is None else environment
    file = _file(path, given)
    from_environment = EnvironmentSource(given)
    from_file = _read(file)
    sources = Sources(file, from_file(), from_environment())
    try:
        settings = Settings(_build_sources=((from_environment, from_file), {}))
    except ValidationError as error:
        raise ConfigError("config_invalid", _in_words(error, sources)) from None
    settings._file = file
    return _with_generated_key(settings, sources)


def _file(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    named = path or (Path(environment[CONFIG_NAME]) if environment.get(CONFIG_NAME) else None)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None
    if not named.is_file():
        raise ConfigError("config_file_missing", f"There is no file {named}. Correct or unset {CONFIG_NAME}.")
    return named


def _read(file: Path | None) -> TomlConfigSettingsSource:
    try:
        return TomlConfigSettingsSource(Settings, file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("config_invalid", f"{file} is not valid TOML: {error}. Correct that line.") from None
    except UnicodeDecodeError:
        raise ConfigError("config_invalid", f"{file} is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError("config_file_missing", f"{file} cannot be read: {error.strerror}.") from None


def _with_generated_key(settings: Settings, sources: Sources) -> tuple[Settings, Sources]:
    path = settings.data_dir / GENERATED_KEY
    if settings.secret_key is not None or not path.exists():
        return settings, sources
    key = SecretStr(read_secret("The data directory", path))
    return settings.model_copy(update={"secret_key": key}), replace(sources, generated_key=path)


def _in_words(error: ValidationError, sources: Sources) -> str:
    return "\n".join(_one_in_words(one["loc"], one["type"], one["msg"], sources) for one in error.errors())


def _one_in_words(location: Sequence[int | str], kind: str, message: str, sources: Sources) -> str:
    key = tuple(part for part in location if isinstance(part, str))
    where = environment_name(key) if _has(sources.in_environment, key) else f"{sources.file}: {'.'.join(key)}"
    if kind == "extra_forbidden":
        known = _beside(key)
        return f"{where} is not a setting{perhaps(key[-1], known)} It can be: {', '.join(known)}."
    reason = message.removeprefix("Value error, ")
    return f"{where}: {reason[:1].lower()}{reason[1:]}. Correct it, or remove it to have the default."


def _beside(key: Key) -> list[str]:
    """Return the names that may stand where `key` stands."""
    group = Settings.model_fields[key[0]].annotation if len(key) > 1 else Settings
    return list(group.model_fields) if isinstance(group, type) and issubclass(group, (Group, Settings)) else []


def _has(tree: Any, key: Key) -> bool:
    for part in key:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True
