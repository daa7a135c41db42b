"""What a check is, and how it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elsehu.testing.conformance.trial import Trial


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Failed(Exception):
    """What was found is not what must be; the text says what was seen."""


class Skipped(Exception):
    """There is nothing to check; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that every provider must do. `advice` says what to do where it does not."""

    name: str
    advice: str
    run: Callable[["Trial"], Awaitable[None]]
    is_static: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How a check ended, with what was seen; `trace` is the traceback of what nobody foresaw."""

    check: Check
    outcome: Outcome
    detail: str = ""
    trace: str = ""


def require(condition: object, seen: str) -> None:
    """Raise Failed with `seen` unless the condition holds."""
    if not condition:
        raise Failed(seen)
