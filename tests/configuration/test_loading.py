"""Settings come from the file, then from the environment, which wins; mistakes are named with their fix."""

from pathlib import Path

import pytest

from elsehu.configuration import load_settings, load_with_sources
from elsehu.contracts.errors import ConfigError
from elsehu.environment import environment_name, keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "elsehu.toml"


def refusal(file: Path | None = None, **environment: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_settings(file, environment)
    return raised.value.detail


def test_the_environment_wins_over_the_file(file: Path) -> None:
    file.write_text('public_url = "https://a.example"\n[server]\nport = 9000\nhost = "0.0.0.0"\n')
    settings, sources = load_with_sources(file, {"ELSEHU_SERVER__PORT": "9001"})
    assert (settings.public_url, settings.server.host, settings.server.port) == ("https://a.example", "0.0.0.0", 9001)
    assert sources.origin(("server", "port")) == "ELSEHU_SERVER__PORT"
    assert sources.origin(("server", "host")) == str(file)
    assert sources.origin(("server", "docs")) == "default"


@pytest.mark.parametrize("name", ["DATABASE_URL", "ELSEHU_DATABASE_URL"])
def test_the_usual_names_of_urls_count(name: str) -> None:
    settings = load_settings(None, {name: "postgresql://db"})
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://db"


def test_an_empty_variable_counts_as_none() -> None:
    assert load_settings(None, {"DATABASE_URL": "", "ELSEHU_SERVER__PORT": ""}).server.port == 8000


@pytest.mark.parametrize("text", ["a, b", '["a", "b"]', "a,b,"])
def test_lists_can_be_written_with_commas_or_as_json(text: str) -> None:
    settings = load_settings(None, {"ELSEHU_SERVER__CORS_ORIGINS": text, "ELSEHU_PLUGINS__ENABLED": text})
    assert settings.server.cors_origins == ["a", "b"]
    assert settings.enabled_plugins == ("a", "b")


def test_a_plugins_key_in_the_environment_stays_a_text() -> None:
    settings = load_settings(None, {"ELSEHU_PLUGINS__ACME__API_KEY": "007"})
    assert settings.plugin_table("acme") == {"api_key": "007"}
    assert "sandbox" in settings.enabled_plugins


def test_tables_of_plugins_do_not_disable_the_others(file: Path) -> None:
    file.write_text("[plugins.sandbox]\n")
    assert load_settings(file, {}).enabled_plugins == load_settings(None, {}).enabled_plugins


def test_secrets_can_be_in_files_and_the_plain_name_wins(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    named = {"ELSEHU_SECRET_KEY_FILE": str(secret)}
    assert load_settings(None, named).secret_keys == ("from a file",)
    assert load_settings(None, {**named, "ELSEHU_SECRET_KEY": "new, old"}).secret_keys == ("new", "old")


def test_the_generated_key_counts_where_nothing_else_gives_one(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("generated\n")
    here = {"ELSEHU_DATA_DIR": str(tmp_path)}
    assert load_settings(None, here).secret_keys == ("generated",)
    assert load_settings(None, {**here, "ELSEHU_SECRET_KEY": "mine"}).secret_keys == ("mine",)


def test_every_key_can_be_set_in_the_environment() -> None:
    for key, _ in keys():
        try:
            load_settings(None, {environment_name(key): "not-a-value-of-most-types"})
        except ConfigError as error:
            assert error.detail.startswith(environment_name(key)), error.detail


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[server]\nprot = 1\n", ["server.prot is not a setting", "did you mean port?"]),
        ("[sever]\nport = 1\n", ["sever is not a setting", "did you mean server?"]),
        ("[server]\nport = 'x'\n", ["server.port: ", "integer"]),
        ("[messaging]\nsend_wait = 99\n", ["messaging.send_wait: ", "60"]),
        ("[security]\nlogin_attempts_per_account = 'often'\n", ["security.login_attempts_per_account: ", "often"]),
        ("[plugins]\nenabled = 'sandbox'\nsandbox = 3\n", []),
        ("[plugins]\nenabled = 3\n", ["plugins: ", "`enabled`"]),
        ("[server\n", ["not valid TOML", "line 1"]),
    ],
)
def test_a_mistake_in_the_file_is_named(file: Path, text: str, parts: list[str]) -> None:
    file.write_text(text)
    if parts:
        detail = refusal(file)
        assert all(part in detail for part in [str(file), *parts]), detail
    else:
        assert load_settings(file, {}).enabled_plugins == ("sandbox",)


def test_every_mistake_is_named_at_once(file: Path) -> None:
    file.write_text("[server]\nport = 'x'\nhots = 'y'\n")
    assert len(refusal(file).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ELSEHU_SERVER__PROT", "ELSEHU_SERVER__PORT"),
        ("ELSEHU_SECRETKEY", "ELSEHU_SECRET_KEY"),
        ("ELSEHU_PORT", "ELSEHU_SERVER__PORT"),
        ("ELSEHU_ADMIN_PASWORD", "ELSEHU_ADMIN_PASSWORD"),
    ],
)
def test_a_mistake_in_a_variables_name_is_named(name: str, nearest: str) -> None:
    detail = refusal(None, **{name: "1"})
    assert name in detail
    assert nearest in detail


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert str(tmp_path / "no.toml") in refusal(None, ELSEHU_CONFIG=str(tmp_path / "no.toml"))
    assert "ELSEHU_SECRET_KEY_FILE" in refusal(None, ELSEHU_SECRET_KEY_FILE=str(tmp_path / "no"))


def test_no_refusal_shows_a_secret(file: Path) -> None:
    file.write_text('[server]\nport = "hunter2"\n')
    assert "hunter2" not in refusal(file, ELSEHU_ADMIN_PASSWORD="hunter2")
