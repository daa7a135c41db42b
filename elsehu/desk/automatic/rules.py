"""The built-in assignment rules: pure functions of a snapshot.

Both give a customer back to the operator whom they had last, if he is free; else one goes by turns, the other by load.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from elsehu.clock import isoformat
from elsehu.contracts.rules import Candidate, Decision, Snapshot

Rule = Callable[[Snapshot], Decision | None]
NEVER = datetime.min.replace(tzinfo=UTC)


def round_robin(snapshot: Snapshot) -> Decision | None:
    """Choose whom it is longest ago that one was given to."""
    return _returned(snapshot) or _first(snapshot, _turn, lambda one: (_when(one),))


def least_busy(snapshot: Snapshot) -> Decision | None:
    """Choose who has the fewest conversations; of several, whose turn it is."""
    return _returned(snapshot) or _first(
        snapshot,
        lambda one: (one.load, *_turn(one)),
        lambda one: (f"has the fewest conversations: {one.load} of {one.capacity}", _when(one)),
    )


RULES: Mapping[str, Rule] = {"round_robin": round_robin, "least_busy": least_busy}


def _returned(snapshot: Snapshot) -> Decision | None:
    last = snapshot.waiting.last_operator
    if last is None or last not in {one.user_id for one in snapshot.free}:
        return None
    return Decision(last, ["had the customer's last conversation"])


def _first(
    snapshot: Snapshot,
    order: Callable[[Candidate], tuple[object, ...]],
    reasons: Callable[[Candidate], tuple[str, ...]],
) -> Decision | None:
    free = snapshot.free
    if not free:
        return None
    chosen = min(free, key=order)
    return Decision(chosen.user_id, [*reasons(chosen), f"one of {len(free)} who were free"])


def _turn(one: Candidate) -> tuple[object, ...]:
    return (one.last_given_at or NEVER, one.user_id)


def _when(one: Candidate) -> str:
    return f"was given one last at {isoformat(one.last_given_at)}" if one.last_given_at else "was not given one yet"
