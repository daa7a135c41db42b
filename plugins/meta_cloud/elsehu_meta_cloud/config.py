"""What an admin configures: the plugin's table in elsehu.toml, and an instance's credentials and settings."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from elsehu.plugin import PluginModel

HEADER_TEXT = re.compile(r"[\x21-\x7e]+")
VERSION = re.compile(r"v\d{1,3}\.\d{1,2}")
HOST = re.compile(r"(\*\.)?[a-z0-9.-]+")
META_HOSTS = ("*.fbsbx.com", "*.fbcdn.net", "*.whatsapp.net", "graph.facebook.com")
"""Where Meta serves media today (Meta Cloud API reference, section 8)."""
MOST_SECRETS = 2


class Config(PluginModel):
    """`[plugins.meta_cloud]`, in seconds. `upload_timeout` must be below `[messaging] send_timeout`."""

    request_timeout: float = Field(default=15.0, gt=0)
    send_timeout: float = Field(default=25.0, gt=0)
    upload_timeout: float = Field(default=25.0, gt=0)
    media_timeout: float = Field(default=120.0, gt=0)


def _as_text(value: Any) -> Any:
    """Take an id that was given as a number: Meta shows both."""
    return str(value) if type(value) is int else value


def _as_list(value: Any) -> Any:
    """Take one secret, or several with commas between them."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Id = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^\d{1,32}$")]
"""An id of Meta's: digits, and more of them than a JSON number holds."""


class Credentials(PluginModel):
    """Which number this is, and what proves who we are.

    `app_secret` is the app's secret, which signs webhooks, or two of them while it is being changed.
    `verify_token` is a text of your choice that Meta shows when it checks the webhook's address. `app_id` is
    needed only for `connect` to set the app-wide webhook as well.
    """

    access_token: SecretStr
    phone_number_id: Id
    waba_id: Id
    app_secret: Annotated[list[SecretStr], BeforeValidator(_as_list), Field(min_length=1, max_length=MOST_SECRETS)]
    verify_token: SecretStr
    app_id: Id | None = None

    @field_validator("access_token", "verify_token")
    @classmethod
    def _is_one_word(cls, secret: SecretStr) -> SecretStr:
        return _word(secret)

    @field_validator("app_secret")
    @classmethod
    def _are_words(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        return [_word(secret) for secret in secrets]


def _word(secret: SecretStr) -> SecretStr:
    if not HEADER_TEXT.fullmatch(secret.get_secret_value()):
        raise ValueError("must be the secret alone: printable ASCII without spaces")
    return secret


class Settings(PluginModel):
    """How an instance works.

    `messages_per_second` is its budget: 80, or 20 for a number that the WhatsApp Business app uses too.
    `media_hosts` are the hosts that the token may be shown to when a file is fetched, by https; `*.` stands for
    any name in front. One with a scheme (`http://127.0.0.1:9000`) is taken as it stands, for a stand-in.
    `portfolio_id` is any text that tells business portfolios apart, where there are several here: the ids under which
    Meta knows customers without a number mean other people in another portfolio.
    """

    base_url: str = "https://graph.facebook.com"
    version: str = "v24.0"
    messages_per_second: float = Field(default=80.0, gt=0, le=1000)
    media_hosts: tuple[str, ...] = META_HOSTS
    portfolio_id: str | None = Field(default=None, min_length=1, max_length=40)

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        return _address(url)

    @field_validator("version")
    @classmethod
    def _is_version(cls, version: str) -> str:
        if not VERSION.fullmatch(version):
            raise ValueError("must be a version of the Graph API, such as v24.0")
        return version

    @field_validator("media_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_address(host) if "://" in host else _host(host) for host in hosts)


def _host(host: str) -> str:
    name = host.strip().lower()
    if not HOST.fullmatch(name):
        raise ValueError("must be names of hosts, such as *.fbsbx.com")
    return name


def _address(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://graph.facebook.com")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must be an address alone, without user, query or fragment")
    return url.strip().rstrip("/")
