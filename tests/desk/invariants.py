"""What must hold of everything that happened at a desk, found out from what was written down of it (recorder.py)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from .recorder import Record, Seen

Move = dict[str, Any]
Absence = tuple[datetime, datetime]
MOVING = ("assigned", "transferred", "released", "closed", "reopened")


SETTLED = timedelta(seconds=3)
"""How long after an operator has said that he goes he may be given something: until the database is told."""


def broken(record: Record, capacity: Mapping[UUID, int], absent: Mapping[UUID, Sequence[Absence]]) -> list[str]:
    """Return every sentence that does not hold. `absent` is from when until when each operator said that he is gone."""
    return [
        *two_owners(record),
        *missing_steps(record),
        *given_to_who_was_gone(record, absent),
        *given_too_much(record, capacity),
        *overtaken(record),
    ]


def figures(record: Record) -> Counter[str]:
    """Return how much of everything happened."""
    found: Counter[str] = Counter()
    for steps in record.steps.values():
        for step in steps:
            found["assigned by rule" if "automatic" in step["details"] else step["action"]] += 1
            found["taken back: offline"] += step["action"] == "released" and step["actor_id"] is None
    return +found


def gifts_of(record: Record) -> Iterator[tuple[UUID, Move]]:
    """Yield each move by which a rule gave a conversation, with whom it went to."""
    by_rule = {step["by"] for steps in record.steps.values() for step in steps if "automatic" in step["details"]}
    for moves in record.moves.values():
        for move in moves:
            if move["by"] in by_rule and move["status"] == "assigned":
                yield move["owner"], move


def two_owners(record: Record) -> Iterator[str]:
    """A conversation is taken only while it waits, and handed on only by whom it was."""
    for conversation, steps in record.steps.items():
        owner: str | None = None
        for step in steps:
            details, action = step["details"], step["action"]
            if action == "assigned" and owner is not None:
                yield f"{conversation} was taken from {owner} by {details['to']['id']}"
            if action in ("transferred", "released", "reopened") and _id(details["from"]) != owner:
                yield f"{conversation} was {action} from {_id(details['from'])}, but it was {owner}'s"
            if action in ("assigned", "transferred", "released", "reopened"):
                owner = _id(details.get("to"))


def missing_steps(record: Record) -> Iterator[str]:
    """Each move has its step in the timeline, in the same transaction, in the same order, with the same owner."""
    for conversation, moves in record.moves.items():
        steps = [step for step in record.steps[conversation] if step["action"] in MOVING]
        told = [(step["by"], _id(step["details"].get("to"))) for step in steps if step["action"] != "closed"]
        done = [
            (move["by"], str(move["owner"]) if move["owner"] else None)
            for move in moves[1:]
            if move["status"] != "closed"
        ]
        if told != done:
            yield f"the timeline of {conversation} says {told}, but it moved {done}"
        closings = [move["by"] for move in moves if move["status"] == "closed"]
        if [step["by"] for step in steps if step["action"] == "closed"] != closings:
            yield f"the timeline of {conversation} does not tell of its closings"
        if [step["at"] for step in steps] != sorted(step["at"] for step in steps):
            yield f"the timeline of {conversation} is not in the order of its times"


def given_to_who_was_gone(record: Record, absent: Mapping[UUID, Sequence[Absence]]) -> Iterator[str]:
    """Nobody is given anything while he is not online: not in the database, nor by what he knows himself."""
    for gift in record.gifts:
        if gift["presence"] != "online":
            yield f"{gift['user_id']} was given a conversation while {gift['presence']}"
    for user_id, late in given_late(record, absent):
        if late > SETTLED:
            yield f"{user_id} was given a conversation {late.total_seconds():.1f} s after he had gone"


def given_late(record: Record, absent: Mapping[UUID, Sequence[Absence]]) -> Iterator[tuple[UUID, timedelta]]:
    """Yield who was given something after he had said that he goes, and how long after."""
    for user_id, move in gifts_of(record):
        for left, came in absent.get(user_id, ()):
            if left < move["at"] < came:
                yield user_id, move["at"] - left


def given_too_much(record: Record, capacity: Mapping[UUID, int]) -> Iterator[str]:
    """Who is given a conversation has at most his capacity with it."""
    if len(record.gifts) != len(list(gifts_of(record))):
        yield "not every gift was written down"
    for gift in record.gifts:
        if gift["load"] > capacity[gift["user_id"]]:
            yield f"{gift['user_id']} was given one as his {gift['load']}th of {capacity[gift['user_id']]}"


def overtaken(record: Record) -> Iterator[str]:
    """While an older conversation is seen to wait in the same queue, a younger is given to nobody who could have it."""
    queues: dict[Any, list[list[Move]]] = defaultdict(list)
    for moves in record.moves.values():
        for queue in {_queue(move) for move in moves}:
            queues[queue].append(moves)
    before = {move["n"]: was for moves in record.moves.values() for was, move in pairwise(moves)}
    for user_id, move in gifts_of(record):
        seen, was = Seen.of(move["seen"]), before[move["n"]]
        for others in queues[_queue(was)]:
            other = _as_seen(others, seen)
            if other is None or other["status"] != "queued" or _queue(other) != _queue(was):
                continue
            returned = record.returns.get((other["conversation_id"], user_id))
            may_have_it = returned is None or returned not in seen
            if may_have_it and _age(other) < _age(was):
                yield f"{user_id} was given {move['conversation_id']} before the older {other['conversation_id']}"


def _as_seen(moves: list[Move], seen: Seen) -> Move | None:
    """Return the last move of a conversation that a snapshot shows."""
    return next((move for move in reversed(moves) if move["by"] in seen), None)


def _queue(move: Move) -> tuple[UUID, UUID | None]:
    return (move["instance_id"], move["team_id"])


def _age(move: Move) -> tuple[datetime, UUID]:
    return (move["place"], move["conversation_id"])


def _id(person: dict[str, Any] | None) -> str | None:
    return None if person is None else str(person["id"])
