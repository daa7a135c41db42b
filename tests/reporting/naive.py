"""The figures once more, as slowly and plainly as docs/reports.md says them: by looking at each piece of time.

Nothing here knows how Elsehu works them out. A conversation's time is cut at every instant at which anything happens;
of each piece is asked whether it was open, who had it, and which quarters of an hour of it are business hours (the
tests' ranges, and all zones, keep to quarters).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache, cached_property
from itertools import pairwise
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import orjson

QUARTER = 900_000
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Elapsed = Callable[[int, int], int]


def ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


# Business hours ---------------------------------------------------------------------------------------------


@cache
def shown_first(zone: str, day: date, hour: int, minute: int) -> int:
    """When does the zone's clock first show a time? Look at every quarter of an hour around it."""
    wanted = datetime(day.year, day.month, day.day, hour, minute)
    quarter = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    before = None
    for _ in range(4 * 60):
        shows = quarter.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if shows == wanted:
            return ms(quarter)
        if shows > wanted and before is not None and before < wanted:  # it is skipped
            return ms(quarter) + (wanted - (before + timedelta(minutes=15))) // timedelta(milliseconds=1)
        before, quarter = shows, quarter + timedelta(minutes=15)
    raise AssertionError("no such time")


def quarters_of(zone: str, ranges: Sequence[str], holidays: Sequence[str], first: date, last: date) -> list[int]:
    """All quarters of an hour that are business hours, in order."""
    found: set[int] = set()
    day = first
    while day <= last:
        for text in ranges:
            days, *spans = text.split()
            named = [DAYS.index(one) for one in days.split("-")]
            if not named[0] <= day.weekday() <= named[-1] or str(day) in holidays or str(day)[5:] in holidays:
                continue
            for span in spans:
                (h1, m1), (h2, m2) = [map(int, one.split(":")) for one in span.split("-")]
                starts = shown_first(zone, day, h1, m1)
                until, h2 = (day, h2) if h2 < 24 else (day + timedelta(days=1), 0)
                ends = shown_first(zone, until, h2, m2)
                if ends <= starts:
                    ends = shown_first(zone, day + timedelta(days=1), h2, m2)
                found |= set(range(starts, ends, QUARTER))
        day += timedelta(days=1)
    return sorted(found)


def business(quarters: Sequence[int]) -> Elapsed:
    def elapsed(start: int, end: int) -> int:
        there = quarters[bisect_left(quarters, start - QUARTER) : bisect_left(quarters, end)]
        return sum(max(0, min(end, one + QUARTER) - max(start, one)) for one in there)

    return elapsed


def calendar(start: int, end: int) -> int:
    return end - start


# One conversation -------------------------------------------------------------------------------------------


@dataclass
class Conversation:
    """Everything that the tables say of one finished conversation, and of those that became part of it."""

    row: dict[str, Any]
    steps: list[dict[str, Any]]
    parts: list["Conversation"]
    messages: list[dict[str, Any]]
    pieces: list[tuple[int, int, set[Any]]] = field(default_factory=list)

    @cached_property
    def opened(self) -> int:
        return ms(self.row["opened_at"])

    @cached_property
    def closed(self) -> int:
        return ms(self.row["closed_at"])

    @cached_property
    def moves(self) -> list[tuple[int, str, Any]]:
        """The steps that count, with the times that they are taken to have."""
        counted: list[tuple[int, str, Any]] = []
        for step in self.steps:
            if step["action"] in ("opened", "assigned", "transferred", "released", "reopened", "closed"):
                at = max([ms(step["at"]), self.opened, *(one[0] for one in counted)])
                at = self.opened if step["action"] == "opened" else min(at, self.closed)
                counted.append((at, step["action"], (step["details"].get("to") or {}).get("id")))
        if counted and counted[-1][1] == "closed":
            counted[-1] = (self.closed, "closed", None)
        return counted

    def instants(self) -> set[int]:
        own = {self.opened, self.closed, *(at for at, _, _ in self.moves)}
        return own.union(*(part.instants() for part in self.parts))

    def is_open(self, at: int) -> bool:
        """Was it, or one that became part of it, open in the moment after `at`?"""
        if any(part.is_open(at) for part in self.parts):
            return True
        if not self.opened <= at < self.closed:
            return False
        last = [action for when, action, _ in self.moves if when <= at and action in ("closed", "reopened")]
        return not last or last[-1] == "reopened"

    def own_holder(self, at: int) -> Any:
        """Who had this very conversation in the moment after `at`?"""
        return self.holder_after(at) if self.opened <= at < self.closed else None

    def last_holder(self) -> Any:
        """Who had it when it became part of another one?"""
        return self.holder_after(self.closed)

    def holder_after(self, at: int) -> Any:
        """Whose was it when all had happened that happened up to `at`? After a merging it may be the other's."""
        holder: Any = None
        happened: list[tuple[int, int, Any]] = [(when, 0, (action, to)) for when, action, to in self.moves]
        happened += [(part.closed, 1, part) for part in self.parts]
        for when, is_merging, what in sorted(happened, key=lambda one: one[:2]):
            if when <= at and is_merging:
                holder = holder or what.last_holder()
            elif when <= at:
                holder = what[1] if what[0] not in ("released", "closed") else None
        return holder

    def holders(self, at: int) -> set[Any]:
        return {self.own_holder(at)}.union(*(part.holders(at) for part in self.parts)) - {None}

    def all_moves(self) -> list[tuple[int, str, Any]]:
        return [*self.moves, *(one for part in self.parts for one in part.all_moves())]


def author(message: dict[str, Any]) -> str:
    if message["direction"] == "INBOUND":
        return "customer"
    if message["lane"]:
        return "bulk"
    if message["sender_id"]:
        return "operator"
    return "phone" if message["sent_at"] and not message["attempts"] else "machine"


def time_of(message: dict[str, Any]) -> int | None:
    at = {"bulk": "sent_at", "customer": "at", "phone": "at"}.get(author(message), "created_at")
    return message[at] and ms(message[at])


def rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def mean(values: Sequence[int]) -> int | None:
    return rounded(Fraction(sum(values), len(values))) if values else None


class Figures:
    """The figures of one conversation on one clock."""

    def __init__(self, conversation: Conversation, elapsed: Elapsed) -> None:
        self.conversation = conversation
        timed = [(time_of(one), one["seq"], one) for one in conversation.messages if one["kind"] != "reaction"]
        self.messages = [(at, author(one), one) for at, _, one in sorted(
            (one for one in timed if one[0] is not None), key=lambda one: one[:2])]  # fmt: skip
        if not conversation.pieces:
            cuts = sorted({*conversation.instants(), *(at for at, _, _ in self.messages)})
            conversation.pieces = [(one, other, conversation.holders(one)) for one, other in pairwise(cuts)
                                   if conversation.is_open(one)]  # fmt: skip
        self.pieces = [(one, other, elapsed(one, other), who) for one, other, who in conversation.pieces]

    def open_time(self, start: int, end: int) -> int:
        return sum(length for one, other, length, _ in self.pieces if start <= one and other <= end)

    @cache  # noqa: B019 - as short-lived as the test
    def takings(self, operator: Any = None) -> list[tuple[int, Any]]:
        """When somebody got it, and who: each step that gives it to a person, and who goes on after a merging."""

        def of(conversation: Conversation) -> Iterable[tuple[int, Any]]:
            yield from ((at, to) for at, _, to in conversation.moves if to)
            for part in conversation.parts:
                yield from of(part)
                at = part.closed
                holder = conversation.own_holder(at)
                gave = [one for one in conversation.moves if one[0] == at]
                if holder and holder == part.last_holder() and not gave:
                    yield at, holder

        return sorted(one for one in of(self.conversation) if operator in (None, one[1]))

    @cache  # noqa: B019
    def responses(self) -> list[tuple[Any, int, int]]:
        found, waiting = [], None
        for at, who, message in self.messages:
            if who == "customer" and waiting is None:
                waiting = at
            elif who == "operator" and waiting is not None:
                found.append((str(message["sender_id"]), waiting, at))
            if who in ("operator", "phone"):
                waiting = None
        return found

    def answers(self) -> list[tuple[int, int]]:
        found = []
        said = None
        for at, who, _ in self.messages:
            if who in ("operator", "phone"):
                said = at
            elif who == "customer" and said is not None:
                found.append((said, at))
                said = None
        return found

    def first_wait(self) -> tuple[Any, int, int] | None:
        people = [who for _, who, _ in self.messages if who in ("customer", "operator", "phone")]
        answering = [who for who in people if who != "customer"]
        if not people or people[0] != "customer" or not answering or answering[0] != "operator":
            return None
        return self.responses()[0]

    def wait(self) -> int | None:
        first = self.first_wait()
        return first and self.open_time(first[1], first[2])

    def first_response(self) -> int | None:
        first, takings = self.first_wait(), self.takings()
        if first is None or not takings or takings[0][0] > first[2]:
            return None
        return self.open_time(max(takings[0][0], first[1]), first[2])

    def own_first_response(self, operator: str) -> int | None:
        first = self.first_wait()
        if first is None or first[0] != operator:
            return None
        holders = self.conversation.holders
        takings = [at for at, _ in self.takings(operator)
                   if at <= first[2] and operator in holders(at) and operator not in holders(at - 1)]  # fmt: skip
        return self.open_time(max(takings[-1], first[1]), first[2]) if takings else None

    def operator_response(self, operator: str | None = None) -> int | None:
        return mean([self.open_time(start, end) for who, start, end in self.responses() if operator in (None, who)])

    def customer_response(self) -> int | None:
        return mean([self.open_time(start, end) for start, end in self.answers()])

    def handling(self, operator: str | None = None) -> int | None:
        if not self.takings(operator):
            return None
        return sum(length for _, _, length, holders in self.pieces if (operator in holders if operator else holders))

    def queue(self) -> int:
        return sum(length for _, _, length, holders in self.pieces if not holders)

    def duration(self) -> int:
        return sum(length for _, _, length, _ in self.pieces)

    def lane(self) -> Any:
        lane = None
        for _, who, message in self.messages:
            if who == "customer":
                return lane
            lane = message["lane_id"] if who == "bulk" else lane
        return None


# All of them ------------------------------------------------------------------------------------------------


async def conversations(connection: asyncpg.Connection) -> list[Conversation]:
    """Read the raw history of all finished conversations."""
    by_id: dict[Any, Conversation] = {}
    for row in await connection.fetch("SELECT * FROM conversations WHERE status = 'closed'"):
        by_id[row["id"]] = Conversation(dict(row), [], [], [])
    for row in await connection.fetch("SELECT * FROM conversation_timeline ORDER BY id"):
        if row["conversation_id"] in by_id:
            by_id[row["conversation_id"]].steps.append({**row, "details": orjson.loads(row["details"])})
    for row in await connection.fetch("SELECT * FROM messages ORDER BY seq"):
        if row["conversation_id"] in by_id:
            by_id[row["conversation_id"]].messages.append(dict(row))
    for one in by_id.values():
        if one.row["merged_into"]:
            by_id[one.row["merged_into"]].parts.append(one)
    whole = [one for one in by_id.values() if not one.row["merged_into"]]
    return [one for one in whole if is_one(one)]


def is_one(conversation: Conversation) -> bool:
    wrote = {author(one) for one in conversation.messages if one["kind"] != "reaction"}
    return bool(wrote - {"bulk"}) or any(action != "closed" for _, action, _ in conversation.all_moves())


def rows_of(conversation: Conversation, elapsed: Elapsed) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The figures of a conversation, and of each operator's part, by the names of their columns."""
    figures = Figures(conversation, elapsed)
    wrote = [who for _, who, _ in figures.messages]
    actions = [action for _, action, _ in conversation.all_moves()]
    takings = figures.takings()
    replied = [at for at, who, _ in figures.messages if who == "operator"]
    whole = {
        "wait": figures.wait(),
        "first_response": figures.first_response(),
        "operator_response": figures.operator_response(),
        "customer_response": figures.customer_response(),
        "handling": figures.handling(),
        "queue": figures.queue(),
        "duration": figures.duration(),
        "messages_in": wrote.count("customer"),
        "messages_out": len(wrote) - wrote.count("customer"),
        "replies": wrote.count("operator"),
        "responses": len(figures.responses()),
        "answers": len(figures.answers()),
        "transfers": actions.count("transferred"),
        "reopenings": actions.count("reopened"),
        "assigned_at": takings[0][0] if takings else None,
        "first_reply_at": replied[0] if replied else None,
        "lane_id": figures.lane(),
        "operator_id": conversation.row["assigned_to"],
        "tabulation_id": conversation.row["tabulation_id"],
    }
    writers = [str(one["sender_id"]) for _, who, one in figures.messages if who == "operator"]
    parts = {
        operator: {
            "first_response": figures.own_first_response(operator),
            "operator_response": figures.operator_response(operator),
            "handling": figures.handling(operator),
            "had": bool(figures.takings(operator)),
            "is_last": operator == str(conversation.row["assigned_to"]),
            "messages": writers.count(operator),
            "responses": sum(who == operator for who, _, _ in figures.responses()),
        }
        for operator in {*writers, *(to for _, to in takings)}
    }
    return whole, parts


def distribution(values: Iterable[int | None]) -> dict[str, Any]:
    """Count, mean and percentiles, in seconds."""
    there = sorted(one for one in values if one is not None)
    if not there:
        return {"count": 0, "mean": None, "p50": None, "p90": None, "p95": None}
    percentiles = {name: there[ceil(share * len(there)) - 1] / 1000 for name, share in (
        ("p50", Fraction(1, 2)), ("p90", Fraction(9, 10)), ("p95", Fraction(19, 20)))}  # fmt: skip
    return {"count": len(there), "mean": (mean(there) or 0) / 1000, **percentiles}


def grouped(rows: Iterable[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return dict(found)
