import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsehu.die_with_parent import Account, bound
from elsehu.embedded import embedded_services

OWNER = """
import json, signal, sys
from pathlib import Path
from elsehu.embedded import EmbeddedError, embedded_services
from elsehu.embedded.server import Server

if sys.argv[2] == "leaves survivors":
    spawn = Server.spawn
    Server.spawn = lambda self, command, directory, at_death, *rest: spawn(
        self, command, directory, signal.SIGWINCH, *rest
    )
try:
    with embedded_services(Path(sys.argv[1])) as services:
        print(json.dumps([services.database_url, services.redis_url, services.pids]), flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print(json.dumps([error.code, str(error)]), flush=True)
"""


class Owner:
    """A process that runs the bundled servers until its input ends or it is killed."""

    def __init__(self, data_dir: Path, habit: str = "", account: Account | None = None) -> None:
        command = bound([sys.executable, "-c", OWNER, str(data_dir), habit], signal.SIGTERM, account)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )

    def says(self) -> Any:
        """Return the next thing that it prints: the URLs and process ids, or the error's code and message."""
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.communicate()


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc/self").exists() else True


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def own() -> Iterator[Callable[..., Owner]]:
    owners: list[Owner] = []

    def start(*arguments: Any, **options: Any) -> Owner:
        owners.append(Owner(*arguments, **options))
        return owners[-1]

    yield start
    for owner in owners:
        owner.kill()
        owner.close()


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("initialised")
    with embedded_services(data_dir):
        pass
    return data_dir


@pytest.fixture
def data_dir(initialised: Path, tmp_path: Path) -> Path:
    """A data directory that was used and left in order, as a backup restored by cp would be."""
    return Path(shutil.copytree(initialised, tmp_path / "data"))
