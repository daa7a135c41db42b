"""`elsehu serve` as an admin starts it: in an empty directory, with an empty environment."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 120.0
"""For a machine that is busy with other tests; each wait ends as soon as what it waits for is there."""


@dataclass
class Serving:
    """A running `elsehu serve`."""

    process: subprocess.Popen[str]
    folder: Path
    port: int

    def request(self, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """GET `path`, or POST `body` to it; return the status and the JSON."""
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def log_in(self, password: str, email: str = "admin@localhost") -> str:
        """Return an access token."""
        status, body = self.request("/api/auth/login", {"email": email, "password": password})
        assert status == 200, body
        return str(body["accessToken"])

    def until_healthy(self) -> None:
        """Wait for the first 200 of `/health`."""
        until(self._is_healthy)

    def said(self, name: str = "out") -> str:
        """Return what has been printed: `out` or `err`."""
        return (self.folder / f"{name}.txt").read_text(encoding="utf-8")

    def until_said(self, text: str, name: str = "err") -> str:
        """Wait until `text` has been printed; return all that has."""
        until(lambda: text in self.said(name))
        return self.said(name)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def children(self) -> list[int]:
        """Return the process ids of all that descend from it."""
        return list(_descendants(self.process.pid))

    def _is_healthy(self) -> bool:
        assert self.process.poll() is None, self.said("err")
        try:
            return self.request("/health")[0] == 200
        except (URLError, OSError):
            return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def serve(folder: Path, **environment: str) -> Serving:
    """Start `elsehu serve` in `folder`; keyword arguments are environment variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    port = free_port()
    with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "elsehu", "serve", "--port", str(port)],
            cwd=folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
        )
    return Serving(process, folder, port)


@pytest.fixture(scope="session")
def used_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after its first start, whose ADMIN has the password PASSWORD."""
    folder = tmp_path_factory.mktemp("used")
    first = serve(folder, ELSEHU_ADMIN_PASSWORD=PASSWORD)
    first.until_said("Elsehu is ready")
    assert first.stop() == 0
    return folder / "var"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start `elsehu serve` in the test's directory; keyword arguments are environment variables."""
    started: list[Serving] = []

    def start_one(**environment: str) -> Serving:
        started.append(serve(tmp_path, **environment))
        return started[-1]

    yield start_one
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def start_again(start: Callable[..., Serving], tmp_path: Path, used_data_dir: Path) -> Callable[..., Serving]:
    """Start `elsehu serve` where it has run before, and wait until it is ready."""
    shutil.copytree(used_data_dir, tmp_path / "var", ignore=shutil.ignore_patterns("*.sock", ".s.*"))

    def start_one(**environment: str) -> Serving:
        serving = start(**environment)
        serving.until_said("Elsehu is ready")
        return serving

    return start_one
