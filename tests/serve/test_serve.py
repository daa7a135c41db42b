"""One command runs all of Elsehu: a first start for a newcomer, clean ends, starts that find what was there."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from .conftest import PASSWORD, Serving, until

Start = Callable[..., Serving]


def test_a_newcomers_first_start_and_the_walk_through(start: Start) -> None:
    serving = start()
    serving.until_said("Elsehu is ready")
    text = serving.said()
    (password,) = re.findall(r'"password": "([^"]+)"', text)
    assert password not in serving.said("err")
    assert f"SERVER=http://127.0.0.1:{serving.port}\n" in text
    pasted = subprocess.run(["sh"], input=text, capture_output=True, text=True, timeout=120, check=False)
    assert pasted.returncode == 0
    assert pasted.stderr == ""
    assert "OUTBOUND read Good morning." in pasted.stdout
    assert "INBOUND received And on Sundays?" in pasted.stdout
    assert serving.request("/health/ready")[1]["status"] == "ok"


def test_what_it_keeps_is_private(used_data_dir: Path) -> None:
    secrets = ("secret_key", "postgres.password", "valkey.password", "services.json")
    assert {oct((used_data_dir / name).stat().st_mode & 0o777) for name in secrets} == {"0o600"}
    assert used_data_dir.stat().st_mode & 0o777 == 0o700
    printed = (used_data_dir.parent / "out.txt").read_text() + (used_data_dir.parent / "err.txt").read_text()
    assert PASSWORD not in printed
    assert (used_data_dir / "secret_key").read_text().strip() not in printed


def test_a_signal_stops_all_of_it_and_the_next_start_finds_its_data(start_again: Start) -> None:
    first = start_again()
    assert first.said() == ""
    assert "Preparing the database" not in first.said("err")
    token = first.log_in(PASSWORD)
    pids = first.children()
    assert len(pids) >= 5
    assert first.stop(signal.SIGINT) == 0
    assert not [pid for pid in pids if is_alive(pid)]

    second = start_again()
    assert second.request("/api/auth/me", token=token)[0] == 200
    assert len(second.request("/api/service-instances", token=token)[1]["items"]) == 1
    assert len(second.request("/api/tabulations", token=token)[1]["items"]) > 0
    assert second.stop(signal.SIGTERM) == 0


def test_after_kill_9_nothing_is_left_and_nothing_blocks_the_next_start(start_again: Start) -> None:
    first = start_again()
    token = first.log_in(PASSWORD)
    pids = first.children()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL

    second = start_again()
    assert second.request("/api/auth/me", token=token)[0] == 200
    until(lambda: not [pid for pid in pids if is_alive(pid)])


def test_a_killed_process_is_started_again(start_again: Start) -> None:
    serving = start_again()
    for name in ("web", "worker", "scheduler"):
        pid = next(pid for pid in serving.children() if command_of(pid)[-1:] == [name])
        os.kill(pid, signal.SIGKILL)
        serving.until_said(f"{name} was killed by SIGKILL; starting it again")
    serving.until_healthy()


def test_commands_work_beside_it_and_without_it(start_again: Start, tmp_path: Path) -> None:
    serving = start_again()
    assert elsehu(tmp_path, "sandbox", "say", "Hello from beside").returncode == 0
    assert "admin@localhost" in elsehu(tmp_path, "user", "list").stdout
    again = elsehu(tmp_path, "serve", "--port", "0")
    assert again.returncode == 2
    assert f"is in use by process {serving.process.pid}" in again.stderr
    assert serving.stop() == 0

    alone = elsehu(tmp_path, "user", "list")
    assert alone.returncode == 0, alone.stderr
    assert "admin@localhost" in alone.stdout
    assert elsehu(tmp_path, "migrate", "--check").returncode == 0


def test_a_lost_secret_key_is_not_replaced(start_again: Start, tmp_path: Path) -> None:
    (tmp_path / "var" / "secret_key").unlink()
    refused = elsehu(tmp_path, "serve", "--port", "0")
    assert refused.returncode == 2
    assert "Put it back" in refused.stderr
    assert not (tmp_path / "var" / "secret_key").exists()


def test_with_urls_it_starts_no_services(start_again: Start, tmp_path: Path) -> None:
    start_again()
    urls = orjson.loads((tmp_path / "var" / "services.json").read_bytes())
    second = start_again(
        DATABASE_URL=urls["database_url"],
        REDIS_URL=urls["redis_url"],
        ELSEHU_SECRET_KEY_FILE=str(tmp_path / "var" / "secret_key"),
        ELSEHU_DATA_DIR="elsewhere",
    )
    assert [command_of(pid)[-1] for pid in second.children()] == ["web", "scheduler", "worker"]
    assert second.said() == ""
    assert not (tmp_path / "elsewhere" / "postgres").exists()
    assert second.stop() == 0


def test_the_secret_key_is_rotated_in_two_steps(start_again: Start, tmp_path: Path) -> None:
    key = tmp_path / "var" / "secret_key"
    old = key.read_text().strip()
    key.write_text(f"a new key,{old}\n")
    rotated = elsehu(tmp_path, "rotate-key")
    assert rotated.returncode == 0, rotated.stderr
    key.write_text("a new key\n")
    serving = start_again()
    token = serving.log_in(PASSWORD)
    assert serving.request("/api/service-instances", token=token)[1]["items"][0]["status"] != "error"
    assert elsehu(tmp_path, "sandbox", "say", "Still there?").returncode == 0
    serving.stop()
    key.write_text("another key\n")
    assert elsehu(tmp_path, "rotate-key").returncode == 1


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]


def elsehu(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "elsehu", *arguments],
        cwd=folder,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
