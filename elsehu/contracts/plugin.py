"""How a plugin describes itself, and what its hooks are given to work with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from elsehu.contracts.http import HttpClient
from elsehu.contracts.message import Kind

HOOK_API = 1
"""The version of `hookspecs.py` that this kernel offers. A plugin for another version is refused."""


class PluginModel(BaseModel):
    """Base of a plugin's own schemas: snake_case in Python, camelCase in JSON, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )


class NoConfig(PluginModel):
    """For what takes no configuration: any key is refused."""


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """What a provider takes of one kind: the largest size in bytes and the media types (empty: any)."""

    max_bytes: int
    mime_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What a provider plugin provides.

    `name` is the provider's name in `/api/webhooks/{name}` and on instances; `webhook_names` are further
    names in that path. `kinds` can be sent. `credentials` and `settings` validate what an instance is
    given. `window_hours` is the service window outside of which only templates go (None: no window).
    `messages_per_second` is the default budget of one instance (None: unlimited).
    """

    name: str
    credentials: type[BaseModel]
    settings: type[BaseModel]
    kinds: frozenset[Kind]
    webhook_names: Sequence[str] = ()
    media_limits: Mapping[Kind, MediaLimit] = field(default_factory=dict)
    max_text: int = 65536
    max_caption: int = 1024
    window_hours: float | None = None
    messages_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin's own account of itself, the answer to the hook `plugin_info`.

    `name` must be the name of its entry point. `config` validates `[plugins.<name>]` of `elsehu.toml`.
    """

    name: str
    summary: str
    hook_api: int = HOOK_API
    config: type[BaseModel] = NoConfig
    provider: ProviderSpec | None = None
    is_storage: bool = False


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a hook works with: its plugin's validated config, HTTP, the clock, and a folder of its own.

    `log` writes one structured line: an event name and key-value pairs, never a secret or a message's text.
    """

    config: Any
    http: HttpClient
    now: Callable[[], datetime]
    log: Callable[..., None]
    data_dir: Path
