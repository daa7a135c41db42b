"""What goes wrong on purpose: faults of answers and faults of webhooks."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

REQUEST_EFFECTS = ("delay", "answer", "close", "hang", "malformed")
WEBHOOK_EFFECTS = ("drop", "duplicate", "hold")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault and how often it strikes.

    ``on`` is a shell pattern: of a method and path (``POST /message/sendText/*``) for the effects of
    requests, of an event (``messages.*``) for those of webhooks. Of several faults that match, the eldest
    strikes.

    Requests: *delay* waits ``seconds`` and goes on; *answer* gives ``status`` with ``body`` and ``headers``;
    *close* closes the connection without an answer; *hang* never answers (it closes when the caller has
    gone or ``seconds`` are over); *malformed* answers broken JSON. The last four strike before the request
    is carried out or, when ``accepted``, after it.

    Webhooks: *drop* never delivers; *duplicate* delivers ``copies`` times at once; *hold* delivers only
    after ``behind`` later webhooks have arrived, or after ``seconds``.
    """

    on: str
    effect: str
    accepted: bool = False
    seconds: float = 30.0
    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    copies: int = 2
    behind: int = 1
    times: int | None = 1
    """How often at most; None: for ever."""
    probability: float = 1.0
    containing: str = ""
    """Strike only where the raw body has this text."""
    hits: int = 0
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        """Refuse an effect that does not exist."""
        known = REQUEST_EFFECTS + WEBHOOK_EFFECTS
        if self.effect not in known:
            raise ValueError(f"no effect {self.effect!r}: choose one of {', '.join(known)}")


class Faults:
    """The faults in force; their chances come from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  (a repeatable chance is wanted here)
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> str:
        """Put a fault in force and return its id."""
        self._faults.append(fault)
        return fault.id

    def clear(self, fault_id: str | None = None) -> None:
        """Lift one fault, or all."""
        self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def hits(self, fault_id: str) -> int:
        """Return how often a fault struck; 0 for one that was lifted."""
        return sum(fault.hits for fault in self._faults if fault.id == fault_id)

    def request(self, method: str, path: str, body: bytes) -> Fault | None:
        """Return the fault that strikes this request."""
        if not self._faults:
            return None
        return self._strike(REQUEST_EFFECTS, f"{method} {path}", body)

    def webhook(self, event: str, body: bytes) -> Fault | None:
        """Return the fault that strikes this delivery."""
        return self._strike(WEBHOOK_EFFECTS, event, body) if self._faults else None

    def _strike(self, effects: Iterable[str], subject: str, body: bytes) -> Fault | None:
        for fault in self._faults:
            if (
                fault.effect in effects
                and (fault.times is None or fault.hits < fault.times)
                and fnmatchcase(subject, fault.on)
                and fault.containing.encode() in body
                and self._rng.random() < fault.probability
            ):
                fault.hits += 1
                return fault
        return None
