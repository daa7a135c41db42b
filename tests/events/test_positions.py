"""A position is a set of transactions; what it computes is what sets of numbers say."""

from collections.abc import Set

from hypothesis import given
from hypothesis import strategies as st

from elsehu.events.positions import Position

XIDS = range(24)


@st.composite
def positions(draw: st.DrawFn, least: int = 0) -> Position:
    xmax = draw(st.integers(least, len(XIDS)))
    return Position(xmax, tuple(sorted(draw(st.sets(st.integers(0, xmax - 1), max_size=6)) if xmax else ())))


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Position, Position]:
    """Where somebody stands, and a later snapshot: some of what was open has ended, and more has begun."""
    start = draw(positions())
    later = draw(positions(start.xmax))
    still_open = {xid for xid in later.open if not start.has(xid)}
    return start, Position(later.xmax, tuple(sorted(still_open)))


def given_to(position: Position) -> Set[int]:
    return {xid for xid in XIDS if position.has(xid)}


@given(journeys(), st.integers(0, len(XIDS) - 1))
def test_advancing_through_a_transaction_adds_exactly_what_was_read(
    journey: tuple[Position, Position], last: int
) -> None:
    start, target = journey
    if not target.has(last):
        return
    read = {xid for xid in given_to(target) - given_to(start) if xid <= last}
    advanced = start.advanced(target, last)
    assert given_to(advanced) == given_to(start) | read
    assert list(advanced.open) == sorted(set(advanced.open))
