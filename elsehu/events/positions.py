"""A position in the outbox: which transactions its holder has been given the events of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """Every transaction below `xmax` has been given, but those in `open`, which had not ended yet.

    This is what a PostgreSQL snapshot knows; `open` is ascending and below `xmax`. But `xmax` never goes
    beyond the last event that was seen: after a crash PostgreSQL gives the numbers of transactions that left
    no trace once more, and only those.
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

    def advanced(self, target: "Position", last: int) -> "Position":
        """Return the position after reading from here towards `target`, in order of xid, through `last`."""
        left = [xid for xid in self.open if xid > last or not target.has(xid)]
        passed = [xid for xid in target.open if self.xmax <= xid <= last]
        return Position(max(self.xmax, last + 1), (*left, *passed))


BEGINNING = Position(0)
"""Nothing has been given yet."""
