"""The loop that keeps all processes running until it is asked to stop."""

import signal
import sys
import time
from collections.abc import Callable, Sequence

from elsehu.die_with_parent import CANNOT_START
from elsehu.processes.child import Child
from elsehu.processes.command import Command
from elsehu.processes.signals import Signals

FORCED = 128 + signal.SIGKILL


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def supervise(
    commands: Sequence[Command],
    on_ready: Callable[[], None] = lambda: None,
    report: Callable[[str], None] = _to_stderr,
) -> int:
    """Run `commands` until a signal asks to stop, then stop them one after the other in the order given.

    A process that ends is started again, at once and then with growing delays, for ever. One that ends with
    code 2 before it ever worked cannot start as it is configured: then everything stops. Processes are out of
    reach of the terminal's Ctrl-C, and are killed when this process dies (Linux). Blocks; main thread only.

    Args:
        commands: what to run, in the order in which to stop it.
        on_ready: called once, when all are ready.
        report: told of ends and restarts, in words.

    Returns:
        The exit code for this process: 0 after an orderly stop, 2 if a process cannot start, 137 if another
        signal while stopping forced the end.
    """
    with Signals() as signals:
        children = [Child(command, report) for command in commands]
        try:
            _keep_running(children, signals, on_ready)
            stopped = _stop(children, signals)
        finally:
            for child in children:
                child.kill()
    if not stopped:
        return FORCED
    return CANNOT_START if any(child.cannot_start for child in children) else 0


def _keep_running(children: Sequence[Child], signals: Signals, on_ready: Callable[[], None]) -> None:
    announced = False
    while not signals.asked_to_stop:
        for child in children:
            child.tend()
        if any(child.cannot_start for child in children):
            return
        if not announced and all(child.is_ready for child in children):
            announced = True
            on_ready()
        signals.wait(min(child.next_look() for child in children))


def _stop(children: Sequence[Child], signals: Signals) -> bool:
    """Stop the children in order. Say whether nobody lost patience and sent another signal."""
    asked = signals.asked_to_stop
    for child in children:
        child.terminate()
        deadline = time.monotonic() + child.command.stop_seconds
        while child.running and time.monotonic() < deadline:
            if signals.asked_to_stop > asked:
                return False
            signals.wait(deadline - time.monotonic())
        child.kill()
    return True
