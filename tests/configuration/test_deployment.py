"""What is there to deploy with agrees with what there is: docker-compose.yml, .env.example, Dockerfile."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from elsehu.cli.commands import COMMANDS
from elsehu.configuration import load_settings
from elsehu.environment import environment_name, keys

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)(?::([-?])([^}]*))?\}")
OUR_SERVICES = ("migrate", "web", "worker", "scheduler")
FILLED_IN = {
    "ELSEHU_SECRET_KEY": "a long random text",
    "POSTGRES_PASSWORD": "letters123",
    "ELSEHU_ADMIN_PASSWORD": "at least ten characters",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def filled_in(text: str, values: dict[str, str]) -> str:
    """Do with `text` what compose does."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        assert kind != "?" or values.get(name), f"{name} must be set"
        return values.get(name) or (default if kind == "-" else "") or ""

    return VARIABLE.sub(value, text)


def test_every_process_is_there_and_every_command_exists(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {*OUR_SERVICES, "postgres", "valkey"}
    assert all(services[name]["command"][0] in COMMANDS for name in OUR_SERVICES)
    assert {name for name in services if "healthcheck" in services[name]} == {"web", "postgres", "valkey"}
    assert services["migrate"]["restart"] == "no"


def test_volumes_are_declared(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", ())}
    assert used == set(compose["volumes"])


def test_every_variable_is_a_setting(compose: dict[str, Any]) -> None:
    known = {environment_name(key) for key, _ in keys()} | {"DATABASE_URL", "REDIS_URL"}
    for name in OUR_SERVICES:
        assert set(compose["services"][name]["environment"]) <= known


def test_the_example_names_all_that_is_asked_for_and_nothing_else(example: dict[str, str]) -> None:
    asked = {found[0] for found in VARIABLE.findall((ROOT / "docker-compose.yml").read_text())}
    assert set(example) == asked


def test_the_example_holds_no_secret(example: dict[str, str]) -> None:
    assert [example[name] for name in FILLED_IN] == [""] * len(FILLED_IN)


def test_filled_in_it_starts(compose: dict[str, Any], example: dict[str, str], tmp_path: Path) -> None:
    values = example | FILLED_IN
    given = compose["services"]["web"]["environment"]
    environment = {name: filled_in(str(value), values) for name, value in given.items()}
    nothing = tmp_path / "elsehu.toml"
    nothing.write_text("")
    settings = load_settings(nothing, environment)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://elsehu:letters123@postgres/elsehu"
    assert settings.server.trusted_proxies == ["172.16.0.0/12"]
    assert settings.server.cors_origins == []
    assert not settings.server.metrics


def test_the_image_runs_as_nobody_special_and_has_every_plugin() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    last = lines.rpartition("\nFROM ")[2]
    assert "\nUSER elsehu\n" in last
    assert "./plugins/*" in lines
    assert "ENTRYPOINT" in last
    environment = dict(re.findall(r"(ELSEHU_\w+)=(\S+)", lines))
    known = {environment_name(key) for key, _ in keys()}
    assert environment.keys() <= known


def test_dump_and_server_are_of_one_release(compose: dict[str, Any]) -> None:
    server = re.match(r"postgres:(\d+)", compose["services"]["postgres"]["image"])
    client = re.search(r"postgresql-client-(\d+)", (ROOT / "Dockerfile").read_text())
    assert server
    assert client
    assert client[1] == server[1]
