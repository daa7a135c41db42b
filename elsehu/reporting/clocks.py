"""Clocks: how much time is between two instants (milliseconds), all of it, or what of it is business hours."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from elsehu.reporting.history import Span


class Clock(ABC):
    """Counts time."""

    @abstractmethod
    def between(self, start: int, end: int) -> int:
        """Return how much of the time between two instants counts."""


class Calendar(Clock):
    """All time counts."""

    def between(self, start: int, end: int) -> int:
        """Return all of it."""
        return end - start


class Business(Clock):
    """Only what lies within `spans` counts: in order, none touching another, and all that there are."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [start for start, _ in spans]
        self._lengths = [end - start for start, end in spans]
        self._before = list(accumulate(self._lengths, initial=0))

    def between(self, start: int, end: int) -> int:
        """Return what of it lies within the spans."""
        return self._until(end) - self._until(start)

    def _until(self, at: int) -> int:
        """Return how much lies within them up to `at`."""
        place = bisect_right(self._starts, at) - 1
        if place < 0:
            return 0
        return self._before[place] + min(at - self._starts[place], self._lengths[place])
