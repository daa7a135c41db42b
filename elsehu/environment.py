"""Settings in the environment: which names there are, what they are set to, and which are mistakes.

A key's name is `ELSEHU_` and the key, nested with `__` (`ELSEHU_MESSAGING__SEND_WAIT=2`); `DATABASE_URL` and
`REDIS_URL` are honoured as they are. A secret can be in a file that `<its name>_FILE` names.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from elsehu.contracts.errors import ConfigError
from elsehu.settings import Group, Settings

Key: TypeAlias = tuple[str, ...]

PREFIX = "ELSEHU_"
CONFIG_NAME = "ELSEHU_CONFIG"
PLUGINS_PREFIX = "ELSEHU_PLUGINS__"
ALIASES = {"DATABASE_URL": "ELSEHU_DATABASE_URL", "REDIS_URL": "ELSEHU_REDIS_URL"}
SECRETS = ("ELSEHU_SECRET_KEY", "ELSEHU_DATABASE_URL", "ELSEHU_REDIS_URL", "ELSEHU_ADMIN_PASSWORD", *ALIASES)
# The second is how `elsehu migrate` tells Piccolo which apps there are.
OTHERS = (CONFIG_NAME, "ELSEHU_PLUGIN_APPS")


def keys() -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every key of the kernel's settings with its field, in the order of the models; not `[plugins]`."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield from (((name, inner), one) for inner, one in field.annotation.model_fields.items())
        elif name != "plugins":
            yield (name,), field


def environment_name(key: Key) -> str:
    """Return the environment name of a key: `("server", "port")` → `ELSEHU_SERVER__PORT`."""
    return PREFIX + "__".join(key).upper()


def perhaps(name: str, known: Sequence[str]) -> str:
    """Return what `name` may have been meant to be, as the end of a sentence."""
    nearest = get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else "."


def read_secret(name: str, path: Path) -> str:
    """Return what the secret file `path` holds; `name` is who names it. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError("secret_file_unreadable", f"{name} names {path}, which cannot be read: {reason}.") from None


class EnvironmentSource(EnvSettingsSource):
    """The environment as pydantic-settings reads it; only what looks like JSON is decoded, so `007` stays a text."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take what is ours in `environment`. Raises ConfigError for a name that is no setting."""
        self._values = {name.lower(): value for name, value in _canonical(environment).items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._values

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        """Decode JSON lists and tables."""
        looks_like_json = isinstance(value, str) and value.lstrip().startswith(("[", "{"))
        return json.loads(value) if looks_like_json else value


def _canonical(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what is ours by its `ELSEHU_` names, with secret files read. An empty value counts as none."""
    known = {environment_name(key) for key, _ in keys()}
    known |= {"ELSEHU_PLUGINS__ENABLED", *ALIASES, *(f"{name}_FILE" for name in SECRETS), *OTHERS}
    found = {name: value for name, value in environment.items() if value and _is_ours(name, known)}
    for name in SECRETS:
        file = found.pop(f"{name}_FILE", None)
        if file and name not in found:
            found[name] = read_secret(f"{name}_FILE", Path(file))
    for alias, name in ALIASES.items():
        if alias in found:
            found[name] = found.pop(alias)
    return {name: value for name, value in found.items() if name not in OTHERS}


def _is_ours(name: str, known: set[str]) -> bool:
    if name in known or name.startswith(PLUGINS_PREFIX):
        return True
    if name.startswith(PREFIX):
        advice = perhaps(name, sorted(known))
        raise ConfigError("config_invalid", f"The environment sets {name}, which is not a setting{advice}")
    return False
