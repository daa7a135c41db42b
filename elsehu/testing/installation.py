"""The settings of an installation for tests: quick passwords, short waits, services that are there already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elsehu.settings import Settings
from elsehu.testing.databases import Services

SECRET_KEY = "a-secret-key-for-tests-only"


def make_settings(services: Services, database_url: str, data_dir: Path, overrides: Mapping[str, Any]) -> Settings:
    """Return settings for `database_url`; `overrides` replace whole top-level keys or update their tables."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": services.redis_url,
        "secret_key": SECRET_KEY,
        "data_dir": data_dir,
        "plugins": {"enabled": ["sandbox", "storage_local"]},
        "security": {"argon2_memory_kib": 1024, "argon2_time": 1},
    }
    for name, value in overrides.items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return Settings(**values)
