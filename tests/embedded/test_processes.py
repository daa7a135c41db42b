"""Supervision: what dies comes back, what shall stop stops in order, nothing outlives the supervisor."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsehu.processes import answers
from elsehu.processes.child import in_words, restart_delay

SUPERVISOR = """
import json, sys
from elsehu.processes import Command, supervise
commands = []
for given in json.loads(sys.argv[1]):
    path = given.pop("ready_file", None)
    ready = (lambda path=path: __import__("os").path.exists(path)) if path else None
    commands.append(Command(ready=ready, **given))
sys.exit(supervise(commands, on_ready=lambda: print("ready", flush=True)))
"""
# Notes its life in a file: name, event, process id.
CHILD = """
import os, signal, sys, time
name, diary, behaviour = sys.argv[1:]
def note(event):
    with open(diary, "a") as file:
        file.write(f"{name} {event} {os.getpid()}\\n")
def stop(*_):
    note("stops")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in behaviour else stop)
if "parent" in behaviour:
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        name += "-grandchild"
note("starts")
exec(behaviour.partition(":")[2].strip())
while True:
    signal.pause()
"""


class Supervised:
    """A supervisor in a process of its own, and the diary of its children."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.diary = directory / "diary"
        self.diary.touch()
        self.process: Any = None

    def child(self, name: str, behaviour: str = "", **options: Any) -> dict[str, Any]:
        argv = [sys.executable, "-c", CHILD, name, str(self.diary), behaviour]
        return {"name": name, "argv": argv, **options}

    def start(self, *commands: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, json.dumps(commands)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def events(self, event: str) -> list[str]:
        """Return who noted `event`, in order."""
        return [line.split()[0] for line in self.diary.read_text().splitlines() if f" {event} " in line]

    def pid(self, name: str) -> int:
        """Return the process id of the child's newest life."""
        return [int(line.split()[2]) for line in self.diary.read_text().splitlines() if line.startswith(name)][-1]

    def ends(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit code, what was printed and what was reported."""
        output, errors = self.process.communicate(timeout=20)
        return self.process.returncode, output, errors


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(tmp_path)
    yield supervised
    if supervised.process and supervised.process.poll() is None:
        supervised.process.kill()
        supervised.process.communicate()


Until = Callable[..., None]
IsAlive = Callable[[int], bool]


def started(supervised: Supervised, *names: str) -> Callable[[], bool]:
    return lambda: sorted(supervised.events("starts")) == sorted(names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_in_the_order_given(supervised: Supervised, until: Until, number: signal.Signals) -> None:
    supervised.start(*(supervised.child(name) for name in ("web", "worker", "scheduler")))
    until(started(supervised, "web", "worker", "scheduler"))
    supervised.process.send_signal(number)
    assert supervised.ends() == (0, "ready\n", "")
    assert supervised.events("stops") == ["web", "worker", "scheduler"]


def test_ready_is_said_once_when_all_are(supervised: Supervised, until: Until) -> None:
    file = supervised.directory / "is-ready"
    supervised.start(supervised.child("web", ready_file=str(file)), supervised.child("worker"))
    until(started(supervised, "web", "worker"))
    assert select.select([supervised.process.stdout], [], [], 0.3)[0] == []
    file.touch()
    assert supervised.process.stdout.readline() == "ready\n"
    os.kill(supervised.pid("web"), signal.SIGKILL)
    until(started(supervised, "web", "web", "worker"))
    supervised.process.terminate()
    assert supervised.ends()[:2] == (0, "")


def test_what_dies_comes_back_at_once_then_after_a_second(supervised: Supervised, until: Until) -> None:
    supervised.start(supervised.child("web"), supervised.child("worker", ": sys.exit(7)"))
    until(started(supervised, "web", "worker", "worker", "worker"))
    os.kill(supervised.pid("web"), signal.SIGKILL)
    until(lambda: supervised.events("starts").count("web") == 2)
    supervised.process.terminate()
    code, _, reports = supervised.ends()
    assert code == 0
    assert reports.splitlines()[:2] == [
        "worker exited with code 7; starting it again now",
        "worker exited with code 7; starting it again in 1 s",
    ]
    assert "web was killed by SIGKILL; starting it again now" in reports


def test_code_2_before_it_was_ready_stops_everything(supervised: Supervised, until: Until) -> None:
    never = str(supervised.directory / "never")
    when_web_runs = "while 'web starts' not in open(diary).read(): time.sleep(0.01)\nsys.exit(2)"
    supervised.start(supervised.child("web"), supervised.child("worker", f":{when_web_runs}", ready_file=never))
    code, output, reports = supervised.ends()
    assert (code, output, reports) == (2, "", "worker cannot start as it is configured\n")
    assert supervised.events("stops") == ["web"]


def test_code_2_after_it_was_ready_is_a_death_like_others(supervised: Supervised, until: Until) -> None:
    file = supervised.directory / "is-ready"
    file.touch()
    supervised.start(supervised.child("web", ": signal.signal(10, lambda *_: sys.exit(2))", ready_file=str(file)))
    assert supervised.process.stdout.readline() == "ready\n"
    until(started(supervised, "web"))
    os.kill(supervised.pid("web"), signal.SIGUSR1)
    until(started(supervised, "web", "web"))
    supervised.process.terminate()
    assert supervised.ends() == (0, "", "web exited with code 2; starting it again now\n")


def test_a_command_that_is_not_there_cannot_start(supervised: Supervised) -> None:
    supervised.start({"name": "web", "argv": ["no-such-program"]})
    code, _, reports = supervised.ends()
    assert code == 2
    assert "cannot run no-such-program: No such file or directory" in reports


def test_a_second_signal_forces_the_end(supervised: Supervised, until: Until, is_alive: IsAlive) -> None:
    supervised.start(supervised.child("web"), supervised.child("worker", "stubborn", stop_seconds=600))
    until(started(supervised, "web", "worker"))
    worker = supervised.pid("worker")
    supervised.process.send_signal(signal.SIGINT)
    until(lambda: supervised.events("stops") == ["web"])
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.ends()[0] == 137
    assert not is_alive(worker)


def test_what_does_not_stop_in_time_is_killed_with_its_own_children(
    supervised: Supervised, until: Until, is_alive: IsAlive
) -> None:
    supervised.start(supervised.child("worker", "stubborn parent", stop_seconds=0.2))
    until(lambda: len(supervised.events("starts")) == 2)
    pids = supervised.pid("worker "), supervised.pid("worker-grandchild")
    supervised.process.terminate()
    assert supervised.ends()[0] == 0
    until(lambda: not any(is_alive(pid) for pid in pids))


def test_children_die_with_the_supervisor(supervised: Supervised, until: Until, is_alive: IsAlive) -> None:
    supervised.start(supervised.child("web"), supervised.child("worker", "stubborn"))
    until(started(supervised, "web", "worker"))
    supervised.process.kill()
    supervised.process.wait()
    until(lambda: not is_alive(supervised.pid("web")) and not is_alive(supervised.pid("worker")))


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(supervised: Supervised, until: Until) -> None:
    supervised.start(supervised.child("web"))
    until(started(supervised, "web"))
    assert os.getpgid(supervised.pid("web")) == supervised.pid("web")
    assert os.getpgid(supervised.process.pid) != supervised.pid("web")


def test_a_signal_is_never_lost_among_dying_children(supervised: Supervised, until: Until) -> None:
    for moment in range(10):
        supervised.diary.write_text("")
        supervised.start(supervised.child("web", ": sys.exit(1)"), supervised.child("worker"))
        until(lambda: "worker" in supervised.events("starts"))
        time.sleep(moment / 200)  # not a wait for something: the signal shall come at different moments
        supervised.process.terminate()
        assert supervised.ends()[0] == 0


@pytest.mark.parametrize(
    ("restarts", "seconds"), [(0, 0), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (10_000, 30)]
)
def test_restarts_wait_longer_and_longer(restarts: int, seconds: float) -> None:
    assert restart_delay(restarts) == seconds


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-63, "was killed by signal 63"),
    ],
)
def test_an_end_is_told_in_words(status: int, words: str) -> None:
    assert in_words(status) == words


@pytest.mark.parametrize(("path", "ready"), [("/health", True), ("/", False)])
def test_a_check_over_http(path: str, ready: bool) -> None:
    reply = "200 OK" if ready else "503 Service Unavailable"
    server = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True);"
        f"c, _ = s.accept(); print(c.recv(999)); c.sendall(b'HTTP/1.1 {reply}\\r\\nContent-Length: 0\\r\\n\\r\\n')"
    )
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}{path}"
        assert answers(url)() is ready
        assert f"GET {path} HTTP" in process.stdout.read()
    assert answers(url)() is False
