"""What the tests of this plugin share: a database with its tables, an installation with the sandbox."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from elsehu.embedded import EmbeddedServices
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing import databases

PLUGINS = {"enabled": ["sandbox", "storage_local", "campaigns"]}


@pytest.fixture(scope="session")
async def campaigns_template(services: EmbeddedServices) -> str:
    """The name of a database with this plugin's tables, for each test to have a copy of."""
    url = await databases.clone_template(services.database_url)
    settings = Settings(plugins=PLUGINS)
    databases.migrate_plugins(url, settings, load_plugins(settings))
    return urlsplit(url).path.lstrip("/")


@pytest.fixture
def template(campaigns_template: str) -> str:
    """Each test's database has this plugin's tables."""
    return campaigns_template


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Beside it, a provider without a vendor."""
    return {"plugins": PLUGINS}
