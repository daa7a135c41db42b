"""The installation's settings: what can be configured, with its default and its limits.

Each group of keys is one table of `elsehu.toml`. `elsehu/configuration.py` reads them from the file and the
environment; a `Settings` itself reads nothing.
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

MIB = 1024 * 1024
_DAY, _TIME = "(mon|tue|wed|thu|fri|sat|sun)", "([01][0-9]|2[0-3]):[0-5][0-9]"
WEEK_RANGE = re.compile(rf"{_DAY}(-{_DAY})?(\s+{_TIME}-({_TIME}|24:00))+")
LOGGER_LEVEL = re.compile(r"[A-Za-z_][\w.]*=(debug|info|warning|error)")
DEFAULT_PLUGINS = (
    "evolution",
    "meta_cloud",
    "sandbox",
    "storage_local",
    "campaigns",
    "export_csv",
    "export_xlsx",
    "export_html",
)
"""What is enabled, as far as it is installed, where nobody says what is to be."""


def _rate(text: str) -> str:
    from limits import parse

    parse(text)
    return text


def _listed(value: Any) -> Any:
    """Take a list as the environment can say it: `a, b`, or JSON."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [item.strip() for item in value.split(",") if item.strip()]


def _logger_level(text: str) -> str:
    if not LOGGER_LEVEL.fullmatch(text):
        raise ValueError("is no logger and its level, such as `elsehu.access=warning`")
    return text


def _week_range(text: str) -> str:
    if not WEEK_RANGE.fullmatch(text):
        raise ValueError(f"{text!r} is no range of the week, such as `mon-fri 08:00-12:00 13:00-18:00`")
    return " ".join(text.split())


def _holiday(text: str) -> str:
    try:
        whole = text if len(text) > len("12-25") else f"2024-{text}"
        if date.fromisoformat(whole).isoformat() == whole:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no date, such as `2026-11-20`, or `12-25` for every year")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"{name!r} is no time zone, such as America/Sao_Paulo") from None
    return name


def _plugin_tables(value: Any) -> Any:
    """Enable the usual plugins where the file has tables of plugins but does not say which are enabled."""
    if not isinstance(value, dict):
        return value
    enabled = _listed(value.get("enabled", list(DEFAULT_PLUGINS)))
    if not isinstance(enabled, list) or not all(isinstance(name, str) for name in enabled):
        raise ValueError('`enabled` must be a list of names, such as ["sandbox", "storage_local"]')
    return {**value, "enabled": enabled}


RateText = Annotated[str, AfterValidator(_rate)]
"""A rate as the `limits` library writes it: `10/5minute`, `100 per hour`."""
RateLimit = Annotated[str, AfterValidator(lambda text: _rate(text) if text else text)]
"""A rate, or nothing."""
Texts = Annotated[list[str], NoDecode, BeforeValidator(_listed)]
"""A list of texts."""
LoggerLevel = Annotated[str, AfterValidator(_logger_level)]
WeekRange = Annotated[str, AfterValidator(_week_range)]
"""Ranges of some weekdays: `mon-fri 08:00-12:00 13:00-18:00`."""
Holiday = Annotated[str, AfterValidator(_holiday)]
"""A date, `2026-11-20`, or one of every year, `12-25`."""
ZoneName = Annotated[str, AfterValidator(_zone)]
"""A time zone of the IANA database."""
Networks = Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(_listed)]
"""A list of networks, such as `10.0.0.0/8`."""
PluginTables = Annotated[dict[str, Any], BeforeValidator(_plugin_tables)]
"""`[plugins]`: `enabled`, and one table for each plugin, which the plugin itself validates."""


class Group(BaseModel):
    """One table of `elsehu.toml`: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Group):
    """`[server]`: where we listen and what browsers may do."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    cors_origins: Texts = []
    docs: bool = True
    metrics: bool = False
    max_body_bytes: int = Field(1 * MIB, ge=1024)
    max_webhook_bytes: int = Field(136 * MIB, ge=4 * MIB)
    max_upload_bytes: int = Field(100 * MIB, ge=1 * MIB)
    trusted_proxies: Texts = []
    body_timeout: float = Field(30.0, gt=0)
    request_timeout: float = Field(120.0, gt=0)
    stop_seconds: float = Field(10.0, ge=0)


class DatabaseSettings(Group):
    """`[database]`: the connection pool of each process."""

    pool_min: int = Field(2, ge=1)
    pool_max: int = Field(16, ge=2)
    statement_timeout: float = Field(30.0, gt=0)


class SecuritySettings(Group):
    """`[security]`: tokens, passwords and throttling."""

    access_token_seconds: int = Field(900, ge=30)
    refresh_token_days: float = Field(30.0, gt=0)
    password_min_length: int = Field(10, ge=8)
    argon2_memory_kib: int = Field(64 * 1024, ge=1024)
    argon2_time: int = Field(3, ge=1)
    login_attempts_per_account: RateText = "10/5minute"
    login_attempts_per_address: RateText = "50/5minute"


class RateLimitSettings(Group):
    """`[rate_limits]`: how often a user, an API key, or (`anonymous`) an address may ask. Empty: at will."""

    read: RateLimit = "60000/minute"
    write: RateLimit = "60000/minute"
    heavy: RateLimit = "600/minute"
    anonymous: RateLimit = "6000/minute"


class MessagingSettings(Group):
    """`[messaging]`: sending."""

    send_wait: float = Field(5.0, ge=0, le=60)
    send_timeout: float = Field(30.0, gt=0)
    max_attempts: int = Field(12, ge=1)
    max_age_hours: float = Field(24.0, gt=0)
    backoff_first: float = Field(1.0, gt=0)
    backoff_max: float = Field(300.0, gt=0)
    concurrency: int = Field(64, ge=1)
    default_region: str = "BR"
    dispatch_in_web: bool = True


class WebhookSettings(Group):
    """`[webhooks]`: ingest, how long raw events are kept, and what waits on the disk while PostgreSQL is away.

    `spool_after` is after how many seconds without a commit a webhook goes to the disk.
    """

    raw_event_days: float = Field(7.0, gt=0)
    batch_size: int = Field(64, ge=1, le=500)
    history_minutes: float = Field(15.0, gt=0)
    spool_after: float = Field(5.0, gt=0)
    spool_max_bytes: int = Field(256 * MIB, ge=0)


class InstanceSettings(Group):
    """`[instances]`: how numbers are watched. Seconds between two looks, and for a provider's answer at most."""

    status_seconds: float = Field(60.0, gt=0)
    connect_timeout: float = Field(20.0, gt=0)


class MediaSettings(Group):
    """`[media]`: where files go and how large they may be."""

    storage: str = "storage_local"
    max_bytes: int = Field(100 * MIB, ge=1)
    fetch_attempts: int = Field(8, ge=1)
    fetch_timeout: float = Field(120.0, gt=0)
    retention_days: float | None = Field(None, gt=0)
    url_timeout: float = Field(30.0, gt=0, le=300)
    url_networks: Networks = []
    ffmpeg: str = "ffmpeg"


class RealtimeSettings(Group):
    """`[realtime]`: the WebSocket at `/ws`."""

    auth_timeout: float = Field(5.0, gt=0)
    ping_interval: float = Field(20.0, gt=0)
    max_frame_bytes: int = Field(256 * 1024, ge=1024)
    client_events_per_second: int = Field(50, ge=1)
    sockets_per_user: int = Field(20, ge=1)
    queue_events: int = Field(1000, ge=10)
    queue_bytes: int = Field(4 * MIB, ge=64 * 1024)
    resume_hours: float = Field(24.0, gt=0)
    resume_max_events: int = Field(10_000, ge=100)
    token_in_query: bool = True


class HttpClientSettings(Group):
    """`[http_client]`: our own requests to providers."""

    timeout: float = Field(20.0, gt=0)
    connections: int = Field(200, ge=1)


class DeskSettings(Group):
    """`[desk]`: who sees what, who is given what, and what is closed by itself."""

    operators_see_all: bool = False
    assignment: str = "off"
    capacity: int = Field(5, ge=0)
    sticky_hours: float | None = Field(None, gt=0)
    offline_minutes: float | None = Field(None, ge=1)
    close_stale_hours: float | None = Field(None, gt=0)
    close_stale_tabulation: str | None = None

    @model_validator(mode="after")
    def _names_a_tabulation(self) -> "DeskSettings":
        if self.close_stale_hours is not None and not self.close_stale_tabulation:
            raise ValueError("close_stale_hours needs close_stale_tabulation, the name of an active tabulation")
        return self

    @property
    def assignment_rules(self) -> tuple[str, ...]:
        """The names of the rules that give conversations away, in the order in which they are asked."""
        names = [name.strip() for name in self.assignment.split(",")]
        return tuple(name for name in names if name and name != "off")


class BusinessHoursSettings(Group):
    """`[business_hours]`: what the business clock of reports counts: ranges of weekdays, none on holidays."""

    timezone: ZoneName = "America/Sao_Paulo"
    ranges: Annotated[list[WeekRange], NoDecode, BeforeValidator(_listed)] = ["mon-fri 08:00-18:00"]
    holidays: Annotated[list[Holiday], NoDecode, BeforeValidator(_listed)] = []


class JobSettings(Group):
    """`[jobs]`: how long a background job may take (seconds) and how often it is tried."""

    timeout: int = Field(600, ge=1)
    attempts: int = Field(4, ge=1)


class LoggingSettings(Group):
    """`[logging]`: from which level on, for people or for machines, and whether each request gets a line."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    levels: Annotated[list[LoggerLevel], NoDecode, BeforeValidator(_listed)] = []
    format: Literal["console", "json"] = "console"
    access: bool = True


class Settings(BaseSettings):
    """Everything that an installation configures. `load_settings` (elsehu/configuration.py) reads one."""

    model_config = SettingsConfigDict(
        env_prefix="ELSEHU_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )
    _file: Path | None = PrivateAttr(None)

    data_dir: Path = Path("var")
    public_url: str | None = None
    secret_key: SecretStr | None = None
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    admin_email: str | None = None
    admin_password: SecretStr | None = None
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    security: SecuritySettings = SecuritySettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    messaging: MessagingSettings = MessagingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    instances: InstanceSettings = InstanceSettings()
    media: MediaSettings = MediaSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    http_client: HttpClientSettings = HttpClientSettings()
    desk: DeskSettings = DeskSettings()
    business_hours: BusinessHoursSettings = BusinessHoursSettings()
    jobs: JobSettings = JobSettings()
    logging: LoggingSettings = LoggingSettings()
    plugins: PluginTables = {"enabled": list(DEFAULT_PLUGINS)}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the caller gives, and nothing from anywhere else."""
        return (init_settings,)

    @model_validator(mode="after")
    def _answers_in_time(self) -> "Settings":
        if self.server.request_timeout <= self.messaging.send_wait + self.media.url_timeout:
            raise ValueError(
                "[server] request_timeout must exceed [messaging] send_wait and [media] url_timeout together"
            )
        return self

    @property
    def file_name(self) -> str:
        """The name of the file that these settings came from, for messages."""
        return str(self._file or "elsehu.toml")

    @property
    def base_url(self) -> str:
        """The URL under which we are reached, without a slash at its end: `public_url`, else where we listen."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.server.host, self.server.host)  # noqa: S104
        return f"http://[{host}]:{self.server.port}" if ":" in host else f"http://{host}:{self.server.port}"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The secret keys, newest first. Empty until an installation has one."""
        joined = self.secret_key.get_secret_value() if self.secret_key else ""
        return tuple(key.strip() for key in joined.split(",") if key.strip())

    @property
    def enabled_plugins(self) -> tuple[str, ...]:
        """The names of the plugins to load, in the order of the file."""
        return tuple(self.plugins.get("enabled", ()))

    def plugin_table(self, name: str) -> dict[str, Any]:
        """The raw `[plugins.<name>]` table, which the plugin itself validates."""
        table = self.plugins.get(name, {})
        return table if isinstance(table, dict) else {}
