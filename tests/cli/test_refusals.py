"""What does not fit refuses to start: one clear message that names the place and the fix, and exit code 2."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[..., None]

COMMANDS = [("config", "check"), ("serve",)]
PROVIDER = """
from elsehu.plugin import NoConfig, ProviderSpec
SPEC = ProviderSpec(%r, NoConfig, NoConfig, frozenset())

@hookimpl
def provider_receive(): ...
@hookimpl
def provider_normalize(): ...
@hookimpl
async def provider_send(): ...
@hookimpl
async def provider_connect(): ...
@hookimpl
async def provider_disconnect(): ...
@hookimpl
async def provider_status(): ...

@hookimpl
def plugin_info():
    return PluginInfo(%r, "a provider for a test", provider=SPEC)
"""


def refused(run: Run, *parts: str, command: tuple[str, ...] = ("config", "check"), **environment: str) -> str:
    ended = run(*command, **environment)
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    missing = [part for part in parts if part not in ended.stderr]
    assert not missing, ended.stderr
    return ended.stderr


def enable(tmp_path: Path, *names: str) -> None:
    listed = ", ".join(f'"{name}"' for name in (*names, "storage_local"))
    (tmp_path / "elsehu.toml").write_text(f"[plugins]\nenabled = [{listed}]\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_typo_in_the_file(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "elsehu.toml").write_text("[server]\nprot = 9000\n")
    refused(run, "elsehu.toml", "server.prot", "did you mean port?", command=command)
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_plugin(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    enable(tmp_path, "evolutoin")
    refused(run, "elsehu.toml", "[plugins] enabled", "'evolutoin'", "evolution", command=command)
    assert not (tmp_path / "var").exists()


def test_a_table_of_a_plugin_that_is_not_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsehu.toml").write_text("[plugins.evolutoin]\nkey = 1\n")
    refused(run, "elsehu.toml", "[plugins.evolutoin]", "evolution")


def test_a_key_that_the_plugin_does_not_know(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsehu.toml").write_text('[plugins.storage_local]\npaht = "media"\n')
    refused(run, "elsehu.toml", "plugins.storage_local.paht", "path")


def test_two_packages_of_one_name(run: Run, tmp_path: Path, install: Install) -> None:
    install("acme", package="first_acme")
    install("acme", package="second_acme")
    enable(tmp_path, "acme")
    refused(run, "first_acme", "second_acme", "Uninstall one")


def test_two_providers_of_one_name(run: Run, tmp_path: Path, install: Install) -> None:
    install("one", PROVIDER % ("acme", "one"))
    install("two", PROVIDER % ("acme", "two"))
    enable(tmp_path, "one", "two")
    refused(run, "'one'", "'two'", "'acme'", "Enable only one")


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("@hookimpl\ndef tabulation_rules(closing, opening): ...", ["'acme'", "tabulation_rules", "opening"]),
        ("@hookimpl\ndef tabulation_rulez(closing): ...", ["'acme'", "tabulation_rulez"]),
        ("import nothing_of_this_name", ["'acme'", "nothing_of_this_name", "Reinstall"]),
    ],
    ids=["a wrong argument", "an unknown hook", "a broken import"],
)
def test_a_plugin_that_does_not_fit(run: Run, tmp_path: Path, install: Install, code: str, parts: list[str]) -> None:
    install("acme", code)
    enable(tmp_path, "acme")
    refused(run, *parts)


def test_a_plugin_of_another_hook_api(run: Run, tmp_path: Path, install: Install) -> None:
    install("acme", more=", hook_api=HOOK_API + 1")
    enable(tmp_path, "acme")
    refused(run, "'acme'", "hook API 2")


def test_two_jobs_of_one_name(run: Run, tmp_path: Path, install: Install) -> None:
    code = """
    from elsehu.plugin import Job
    async def tidy(kernel, arguments): ...
    @hookimpl
    def register_jobs():
        return [Job("tidy", tidy)]
    """
    install("one", code)
    install("two", code)
    enable(tmp_path, "one", "two")
    refused(run, "'tidy'", "acme_one", "acme_two")


def test_one_url_without_the_other(run: Run) -> None:
    for command in COMMANDS:
        refused(run, "DATABASE_URL is set", "REDIS_URL is not", command=command, DATABASE_URL="postgresql://db/x")


def test_urls_without_a_secret_key(run: Run) -> None:
    urls = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://cache"}
    refused(run, "ELSEHU_SECRET_KEY", command=("web",), **urls)


def test_a_typo_in_the_environment(run: Run) -> None:
    refused(run, "ELSEHU_SERVER__PROT", "ELSEHU_SERVER__PORT", ELSEHU_SERVER__PROT="1")


def test_no_services_for_the_processes_apart(run: Run) -> None:
    for command in ("web", "worker", "scheduler"):
        refused(run, "DATABASE_URL", "elsehu serve", command=(command,))


def test_a_port_that_is_taken(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(run, port, "--port", command=("serve", "--port", port))
    assert not (tmp_path / "var").exists()
