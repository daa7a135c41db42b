"""What an admin asks the program, and what it answers."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from elsehu import __version__
from elsehu.cli.config import shown

Run = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[..., None]


def test_it_says_its_version_and_what_it_can_do(run: Run) -> None:
    assert __version__ in run("--version").stdout
    text = run("--help").stdout
    assert all(name in text for name in ("serve", "web", "worker", "scheduler", "migrate", "user", "config", "plugins"))
    assert "sandbox" in text


def test_a_plugins_commands_come_and_go_with_it_and_the_help_survives_a_mistake(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsehu.toml").write_text('[plugins]\nenabled = ["storage_local"]\n')
    assert "sandbox" not in run("--help").stdout
    assert run("sandbox", "say", "x").returncode == 2
    (tmp_path / "elsehu.toml").write_text("[sever]\n")
    broken = run("--help")
    assert broken.returncode == 0
    assert "serve" in broken.stdout
    assert "sever" in broken.stderr


def test_plugins_tells_what_is_installed_and_what_each_implements(run: Run, tmp_path: Path, install: Install) -> None:
    install("acme")
    (tmp_path / "elsehu.toml").write_text('[plugins]\nenabled = ["sandbox", "storage_local"]\n')
    lines = run("plugins").stdout.splitlines()
    (acme,) = [line for line in lines if line.startswith("│ acme")]
    (sandbox,) = [line for line in lines if line.startswith("│ sandbox")]
    assert "1.0" in acme
    assert "no" in acme
    assert "yes" in sandbox
    assert "provider_send" in "".join(lines)


def test_check_says_that_all_is_well(run: Run) -> None:
    checked = run("config", "check")
    assert checked.returncode == 0, checked.stderr
    assert "all is well" in checked.stdout


def test_show_masks_secrets_and_says_where_a_value_comes_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsehu.toml").write_text("[server]\nport = 9000\n")
    ended = run(
        "config",
        "show",
        DATABASE_URL="postgresql://elsehu:hunter2@db.example/x?password=hunter2",
        REDIS_URL="redis://:hunter2@cache.example:6379/0",
        ELSEHU_SECRET_KEY="hunter2,hunter3",
        ELSEHU_ADMIN_PASSWORD="hunter2hunter2",
        ELSEHU_SERVER__HOST="0.0.0.0",
    )
    assert ended.returncode == 0, ended.stderr
    assert "hunter" not in ended.stdout
    rows = {cells[0]: cells[1:] for line in ended.stdout.splitlines() if len(cells := _cells(line)) == 3}
    assert rows["server.port"] == ["9000", "elsehu.toml"]
    assert rows["server.host"] == ["0.0.0.0", "ELSEHU_SERVER__HOST"]
    assert rows["server.docs"] == ["true", "default"]
    assert rows["database_url"] == ["postgresql://***@db.example/x", "ELSEHU_DATABASE_URL"]
    assert rows["secret_key"] == ["***", "ELSEHU_SECRET_KEY"]


def test_show_changed_leaves_the_defaults_out(run: Run) -> None:
    text = run("config", "show", "--changed", ELSEHU_SERVER__PORT="9000").stdout
    assert "server.port" in text
    assert "server.host" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (["a", "b"], "a, b"),
        ({"a": 1}, "a: 1"),
        (Path("var"), "var"),
    ],
)
def test_values_are_shown_plainly(value: object, text: str) -> None:
    assert shown(value) == text


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")] if line.startswith("│") else []
