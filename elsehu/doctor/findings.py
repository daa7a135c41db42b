"""What the doctor finds: one line for each thing that was tried."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something stands: well, worth a look, broken, or not tried because something else is broken."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: what was seen, and where it is not well, what to do."""

    subject: str
    state: State
    detail: str
    fix: str = ""


def ok(subject: str, detail: str) -> Finding:
    """Return that all is well."""
    return Finding(subject, State.OK, detail)


def warning(subject: str, detail: str, fix: str) -> Finding:
    """Return that something is worth a look."""
    return Finding(subject, State.WARNING, detail, fix)


def broken(subject: str, detail: str, fix: str) -> Finding:
    """Return that something does not work."""
    return Finding(subject, State.BROKEN, detail, fix)


def skipped(subject: str, needs: str) -> Finding:
    """Return that it could not be tried without `needs`."""
    return Finding(subject, State.SKIPPED, f"not tried: it needs {needs}")
