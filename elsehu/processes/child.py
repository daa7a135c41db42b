"""One command under supervision, and the process that runs it now."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from elsehu.die_with_parent import CANNOT_START, bound
from elsehu.processes.command import Command

LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0
PROBE_SECONDS = 0.1


class Child:
    """Keeps one command running.

    Attributes:
        is_ready: it has been seen to do its work, in this life or one before.
        cannot_start: it ended with code 2 before it ever worked: its configuration is wrong.
    """

    def __init__(self, command: Command, report: Callable[[str], None]) -> None:
        self.command = command
        self.is_ready = False
        self.cannot_start = False
        self._report = report
        self._worked = False
        self._restarts = 0
        self._start_at = 0.0
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def tend(self) -> None:
        """Note an end, start what is due, ask whether it is ready."""
        if self._process is not None and not self.running:
            self._note_end(self._process)
        if self._process is None and not self.cannot_start and time.monotonic() >= self._start_at:
            self._start()
        if not self.is_ready and self.running:
            self._probe()

    def next_look(self) -> float:
        """Return the seconds until there is something to do. An end announces itself by SIGCHLD."""
        if self._process is None:
            return self._start_at - time.monotonic()
        return STEADY_SECONDS if self.is_ready else PROBE_SECONDS

    def terminate(self) -> None:
        """Ask the process to stop in order."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill what there still is of the process and its group."""
        if self._process is None:
            return
        # macOS answers EPERM for a group in which only the dead are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            bound(self.command.argv, signal.SIGKILL),
            env={**os.environ, **self.command.environment},
            stdin=subprocess.DEVNULL,
            process_group=0,
        )

    def _probe(self) -> None:
        if self.command.ready is None:
            self.is_ready = True
        elif self.command.ready():
            self.is_ready = self._worked = True

    def _note_end(self, process: subprocess.Popen[bytes]) -> None:
        status = process.returncode
        lived_long = time.monotonic() - self._started_at > STEADY_SECONDS
        self._worked = self._worked or lived_long
        self.kill()
        if status == CANNOT_START and not self._worked:
            self.cannot_start = True
            self._report(f"{self.command.name} cannot start as it is configured")
            return
        if lived_long:
            self._restarts = 0
        delay = restart_delay(self._restarts)
        self._restarts += 1
        self._start_at = time.monotonic() + delay
        when = f"in {delay:.0f} s" if delay else "now"
        self._report(f"{self.command.name} {in_words(status)}; starting it again {when}")


def restart_delay(restarts: int) -> float:
    """Return the seconds to wait before a restart that follows `restarts` others: 0, 1, 2, 4 … 30."""
    return min(2.0 ** min(restarts - 1, 10), LONGEST_DELAY) if restarts else 0.0


def in_words(status: int) -> str:
    """Return what a return code of `subprocess` means."""
    if status >= 0:
        return f"exited with code {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
