"""What goes wrong on purpose."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

EFFECTS = ("refuse", "answer", "close", "delay", "fail_later", "status_first", "redirect")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault and how often it strikes.

    ``on`` is a shell pattern of method and path, without the version (``POST */messages``). Of several that match,
    the eldest strikes. The effects: *refuse* answers with Meta's error ``code``; *answer* with ``status``, ``body``
    (text as it stands, else JSON) and ``headers``; *close* closes the connection without an answer; *delay* waits
    ``seconds`` and goes on. *refuse*, *answer* and *close* strike before the request is carried out or, when
    ``accepted``, after it. *fail_later* takes a message and fails it with ``code`` by status; *status_first* takes it
    and answers only ``seconds`` after its statuses were delivered. *redirect* sends a download to ``location``.
    """

    on: str
    effect: str
    code: int = 131000
    subcode: int | None = None
    details: str = "injected fault"
    status: int = 400
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    location: str = ""
    accepted: bool = False
    seconds: float = 0.0
    times: int | None = 1
    """How often at most; None: for ever."""
    hits: int = 0
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        """Refuse an effect that does not exist."""
        if self.effect not in EFFECTS:
            raise ValueError(f"no effect {self.effect!r}: choose one of {', '.join(EFFECTS)}")


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> str:
        """Put a fault in force and return its id."""
        self._faults.append(fault)
        return fault.id

    def clear(self) -> None:
        """Lift all."""
        self._faults.clear()

    def strike(self, subject: str, *effects: str) -> Fault | None:
        """Return the fault that strikes ``subject``, if one with such an effect does, and count it."""
        for fault in self._faults:
            is_left = fault.times is None or fault.hits < fault.times
            if is_left and fault.effect in effects and fnmatchcase(subject, fault.on):
                fault.hits += 1
                return fault
        return None
