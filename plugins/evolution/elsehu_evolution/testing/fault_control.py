"""Faults in the words of tests."""

from collections.abc import Callable
from typing import Any

from .faults import Fault


class FaultControl:
    """Faults in short words. ``on`` is a pattern as of ``faults.Fault``; all take its other fields too.

    A fault strikes once unless ``times`` (None: for ever) or ``probability`` says otherwise. Each returns
    its id.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def add(self, on: str, effect: str, **more: Any) -> str:
        """Put any fault in force."""
        Fault(on=on, effect=effect, **more)  # refuse nonsense here, with a traceback into the test
        return str(self._call("add_fault", on=on, effect=effect, **more))

    def delay(self, on: str, seconds: float, **more: Any) -> str:
        """Answer late."""
        return self.add(on, "delay", seconds=seconds, **more)

    def answer(self, on: str, status: int, body: Any = None, **more: Any) -> str:
        """Answer a status without doing anything (``accepted=True``: after doing it)."""
        return self.add(on, "answer", status=status, body=body, **more)

    def close(self, on: str, **more: Any) -> str:
        """Close the connection without having accepted anything."""
        return self.add(on, "close", **more)

    def accept_and_close(self, on: str, **more: Any) -> str:
        """Deliver, then close the connection without an answer."""
        return self.add(on, "close", accepted=True, **more)

    def accept_and_hang(self, on: str, seconds: float = 60.0, **more: Any) -> str:
        """Deliver, then never answer: the caller's time-out decides."""
        return self.add(on, "hang", accepted=True, seconds=seconds, **more)

    def hang(self, on: str, seconds: float = 60.0, **more: Any) -> str:
        """Neither deliver nor answer."""
        return self.add(on, "hang", seconds=seconds, **more)

    def malformed(self, on: str, **more: Any) -> str:
        """Deliver, then answer broken JSON."""
        return self.add(on, "malformed", **({"accepted": True} | more))

    def drop_webhook(self, on: str, **more: Any) -> str:
        """Never deliver an event."""
        return self.add(on, "drop", **more)

    def duplicate_webhook(self, on: str, copies: int = 2, **more: Any) -> str:
        """Deliver an event several times at once."""
        return self.add(on, "duplicate", copies=copies, **more)

    def hold_webhook(self, on: str, behind: int = 1, seconds: float = 5.0, **more: Any) -> str:
        """Deliver an event after ``behind`` later ones, or after ``seconds``."""
        return self.add(on, "hold", behind=behind, seconds=seconds, **more)

    def hits(self, fault_id: str) -> int:
        """Return how often a fault struck."""
        return int(self._call("fault_hits", fault_id=fault_id))

    def clear(self, fault_id: str | None = None) -> None:
        """Lift one fault, or all."""
        self._call("clear_faults", fault_id=fault_id)
