"""Commands beside a running `elsehu serve` work on its services, and know its address."""

from pathlib import Path

import pytest

from elsehu.contracts.errors import ConfigError
from elsehu.services import bundled, found_services
from elsehu.settings import Settings


def test_a_running_serve_is_found_with_its_port_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    beside = Settings(data_dir=tmp_path)
    with bundled(Settings(data_dir=tmp_path, server={"port": 18999}), print) as serving:
        found = found_services(beside)
        assert found.database_url == serving.database_url
        assert found.redis_url == serving.redis_url
        assert found.base_url == "http://127.0.0.1:18999"
    with pytest.raises(ConfigError, match="services_missing"):
        found_services(beside)


def test_a_public_url_is_kept(tmp_path: Path) -> None:
    with bundled(Settings(data_dir=tmp_path, public_url="https://desk.example.com/"), print):
        assert found_services(Settings(data_dir=tmp_path)).base_url == "https://desk.example.com"
