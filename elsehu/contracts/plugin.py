"""How a plugin describes itself, and what its hooks are given to work with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

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
class PairLimit:
    """How many messages one customer may get from one number: one each `seconds`, up to `burst` ahead of that."""

    seconds: float
    burst: int


CAPTIONED = frozenset({Kind.IMAGE, Kind.VIDEO, Kind.DOCUMENT})


@dataclass(frozen=True, slots=True)
class InteractiveLimits:
    """What a provider takes of one type of interactive message; lengths in characters.

    `headers` are the formats that it may have (text, image, video, document; none: no header). Choices are the
    buttons of `buttons` and the rows of `list`; `max_label` is the longest text of a button that opens something.
    """

    max_body: int = 1024
    headers: frozenset[str] = frozenset()
    max_header: int = 60
    max_footer: int = 60
    max_label: int = 20
    max_choices: int = 0
    max_sections: int = 0
    max_section_title: int = 24
    max_choice_id: int = 256
    max_choice_title: int = 20
    max_choice_description: int = 72


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What a provider plugin provides.

    `name` is the provider's name in `/api/webhooks/{name}` and on instances; `webhook_names` are further
    names in that path. `kinds` can be sent. `credentials` and `settings` validate what an instance is
    given. `window_hours` is the service window outside of which only templates go (None: no window).
    `messages_per_second` is the default budget of one instance (None: unlimited); `pair_limit` is that of one
    customer. The other fields are limits that a message must keep before it is queued: longest texts in
    characters, kinds that may have a caption, contact cards (how many, and whether each needs a phone), files by
    kind, the media types of a voice note (empty: any), and interactive messages by type (`buttons`, `list`, `link`,
    `flow`, `location_request`, `contact_request`).
    """

    name: str
    credentials: type[BaseModel]
    settings: type[BaseModel]
    kinds: frozenset[Kind]
    webhook_names: Sequence[str] = ()
    media_limits: Mapping[Kind, MediaLimit] = field(default_factory=dict)
    max_text: int = 65536
    max_caption: int = 1024
    captions: frozenset[Kind] = CAPTIONED
    max_contacts: int = 257
    contacts_need_phone: bool = False
    voice_types: frozenset[str] = frozenset()
    interactive: Mapping[str, InteractiveLimits] = field(default_factory=dict)
    window_hours: float | None = None
    messages_per_second: float | None = None
    pair_limit: PairLimit | None = None


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


class Cache(Protocol):
    """A plugin's own small memory, shared by all processes. It may forget at any time, and never raises."""

    async def get(self, key: str) -> str | None:
        """Return what was put under `key`, or None."""
        ...

    async def put(self, key: str, value: str, seconds: int) -> None:
        """Remember `value` under `key` for at most `seconds`."""
        ...

    async def drop(self, key: str) -> None:
        """Forget what is under `key`."""
        ...


class Forgetful:
    """A `Cache` that remembers nothing."""

    async def get(self, key: str) -> str | None:
        """Return None."""
        return None

    async def put(self, key: str, value: str, seconds: int) -> None:
        """Forget it at once."""

    async def drop(self, key: str) -> None:
        """There is nothing to forget."""


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a hook works with: its plugin's validated config, HTTP, the clock, a cache, and a folder of its own.

    `log` writes one structured line: an event name and key-value pairs, never a secret or a message's text.
    """

    config: Any
    http: HttpClient
    now: Callable[[], datetime]
    log: Callable[..., None]
    data_dir: Path
    cache: Cache = field(default_factory=Forgetful)
