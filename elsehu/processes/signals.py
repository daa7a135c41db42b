"""Signals as something to wait for."""

import selectors
import signal
import socket
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Takes the process's signals while its block runs (main thread only).

    Python writes each signal into a socket as it comes, so one that comes between a look at the state and the
    next wait ends that wait: none is lost.

    Attributes:
        asked_to_stop: how often SIGINT, SIGTERM or SIGHUP has come.
    """

    def __init__(self) -> None:
        self.asked_to_stop = 0

    def __enter__(self) -> "Signals":
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._former = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        self._former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float) -> None:
        """Wait for a signal, a child's end among them, but no longer than `seconds`."""
        if self._selector.select(max(seconds, 0.0)):
            self._reader.recv(4096)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop += 1
