"""What an admin configures: the plugin's table in elsehu.toml, and an instance's credentials and settings."""

import re
import unicodedata
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from elsehu.plugin import Instance, Kind, MediaLimit, PluginModel, ProviderSpec

MEGABYTE = 1_000_000
HEADER_TEXT = re.compile(r"[\x21-\x7e]+")
LONGEST_NAME = 100


class Config(PluginModel):
    """`[plugins.evolution]`. Times in seconds; `history_page` is how many messages are asked for at once."""

    request_timeout: float = Field(default=20.0, gt=0)
    send_timeout: float = Field(default=60.0, gt=0)
    media_timeout: float = Field(default=120.0, gt=0)
    history_page: int = Field(default=100, ge=1, le=1000)


class Credentials(PluginModel):
    """Where the server is, and what opens it.

    `api_key` is the server's global key, or the token of one instance (which must then exist already and be
    named). `instance_name` is the name at Evolution; by default it is made from the name in Elsehu.
    """

    server_url: str
    api_key: SecretStr
    instance_name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)

    @field_validator("server_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be the server's address, such as https://evolution.example.com")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address alone, without user, query or fragment")
        return url.strip().rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        if not HEADER_TEXT.fullmatch(key.get_secret_value()):
            raise ValueError("must be the key alone: printable ASCII without spaces")
        return key


class Settings(PluginModel):
    """How an instance behaves; Evolution is told on every connect.

    `groups`: group messages come in, one conversation a group. `sync_history`: Evolution takes over the
    phone's whole history into its own store when a phone is linked.
    """

    groups: bool = False
    reject_calls: bool = False
    always_online: bool = False
    read_messages: bool = False
    sync_history: bool = False


SPEC = ProviderSpec(
    name="evolution",
    credentials=Credentials,
    settings=Settings,
    kinds=frozenset(
        {
            Kind.TEXT,
            Kind.IMAGE,
            Kind.AUDIO,
            Kind.VIDEO,
            Kind.DOCUMENT,
            Kind.STICKER,
            Kind.LOCATION,
            Kind.CONTACTS,
            Kind.REACTION,
        }
    ),
    # Evolution takes bodies of 136 MB (reference, section 1) and files as base64, a third larger than they are.
    media_limits={
        Kind.IMAGE: MediaLimit(16 * MEGABYTE, frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})),
        Kind.STICKER: MediaLimit(5 * MEGABYTE, frozenset({"image/webp", "image/png", "image/jpeg"})),
        Kind.AUDIO: MediaLimit(16 * MEGABYTE),
        Kind.VIDEO: MediaLimit(64 * MEGABYTE),
        Kind.DOCUMENT: MediaLimit(100 * MEGABYTE),
    },
    contacts_need_phone=True,
)


def instance_name(instance: Instance) -> str:
    """Return the name of `instance` at its Evolution server.

    A name that was given counts; else the one it was created under; else one made from its name and id, so
    that two installations which share a server never take each other's.
    """
    given = instance.credentials.get("instance_name") or instance.state.get("instance_name")
    return str(given) if given else f"{_slug(instance.name)}-{instance.id.hex[-6:]}"


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "elsehu"
