"""What the tests of this plugin share: an installation with the sandbox, each test's own or one for many."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from elsehu.testing import databases
from elsehu.testing.client import log_in_as
from elsehu.testing.installation import make_settings
from elsehu.testing.serving import running_web

from .world import World, served_by_two

PLUGINS = {"enabled": ["sandbox", "storage_local", "campaigns"]}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Beside it, a provider without a vendor."""
    return {"plugins": PLUGINS}


@pytest.fixture(scope="session")
async def world(services: databases.Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One installation for many tests, in which all campaigns are served as long as it lives."""
    url = await databases.clone_template(services.database_url)
    overrides = {"plugins": PLUGINS, "messaging": {"backoff_first": 0.2}}
    settings = make_settings(services, url, tmp_path_factory.mktemp("world"), overrides)
    async with (
        running_web(settings) as server,
        log_in_as(server, "ADMIN") as admin,
        served_by_two(server.kernel),
    ):
        yield World(server, admin)
    await databases.drop(url)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--campaign-kills`, for those who run this folder alone."""
    parser.addoption("--campaign-kills", type=int, default=3, help="How often test_kills.py kills a process.")
