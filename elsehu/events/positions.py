"""A position in the outbox: which transactions its holder has been given the events of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True)
class Position:
    """Every transaction below `xmax` has been given, but those in `open`, which had not ended yet.

    This is what a PostgreSQL snapshot knows. `open` is ascending and below `xmax`.
    """

    xmax: int
    open: tuple[int, ...] = ()

    @classmethod
    def of_snapshot(cls, snapshot: tuple[int, int, Sequence[int]]) -> "Position":
        """Return the position of a `pg_snapshot` as asyncpg gives it: (xmin, xmax, transactions in progress)."""
        _, xmax, in_progress = snapshot
        return cls(xmax, tuple(in_progress))

    def has(self, xid: int) -> bool:
        """Whether the transaction `xid` has been given."""
        return xid < self.xmax and xid not in self.open

    def covers(self, other: "Position") -> bool:
        """Whether everything that `other` has, this has too."""
        missing = chain(self.open, range(self.xmax, other.xmax))
        return not any(other.has(xid) for xid in missing)

    def advanced(self, target: "Position", last: int) -> "Position":
        """Return the position after reading from here towards `target`, in order of xid, through `last`.

        `target` covers this position and `last` is a transaction that it has.
        """
        left = [xid for xid in self.open if xid > last or not target.has(xid)]
        passed = [xid for xid in target.open if self.xmax <= xid <= last]
        return Position(max(self.xmax, last + 1), (*left, *passed))


BEGINNING = Position(0)
"""Nothing has been given yet."""
