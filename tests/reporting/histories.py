"""Generated histories of conversations, written into the real tables: everything that can happen, in any order.

Transfers, releases, reopenings, bulk messages, phones, machines, steps by nobody, merged conversations, clocks that
are a little off; around the days on which several zones change their clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import orjson

OPERATORS = [UUID(int=0x100 + n) for n in range(4)]
INSTANCES = [UUID(int=0x200 + n) for n in range(2)]
TABULATIONS = [UUID(int=0x300 + n) for n in range(3)]
LANES = [UUID(int=0x400 + n) for n in range(2)]
CHANGES = [
    "2018-11-04T03:00", "2019-02-17T02:00",  # São Paulo
    "2026-03-08T07:00", "2026-11-01T06:00",  # New York
    "2026-03-29T01:00", "2026-10-25T01:00",  # Lisbon
    "2026-10-03T15:30", "2026-04-04T15:00",  # Lord Howe
    "2026-11-20T12:00", "2026-12-25T03:00",  # holidays
]  # fmt: skip
GAPS = [0.0, 0.4, 7, 50, 200, 900, 4_000, 20_000, 70_000]
"""Seconds, about."""

Row = dict[str, Any]


@dataclass
class Tables:
    """Rows to be written."""

    contacts: list[Row] = field(default_factory=list)
    conversations: list[Row] = field(default_factory=list)
    timeline: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)


class Life:
    """One conversation's life, made up as it goes."""

    def __init__(self, random: Random, tables: Tables, opened: datetime, instance: UUID) -> None:
        self.random, self.tables = random, tables
        self.now = opened
        self.owner: UUID | None = None
        self.row: Row = {
            "id": UUID(int=random.getrandbits(128)),
            "contact_id": tables.contacts[-1]["id"],
            "instance_id": instance,
            "opened_at": opened,
            "closed_at": None,
            "assigned_to": None,
            "tabulation_id": None,
            "tabulation_name": None,
            "merged_into": None,
        }

    def wait(self) -> None:
        """Let some time pass."""
        gap = self.random.choice(GAPS) * self.random.uniform(0.5, 1.5)
        self.now += timedelta(microseconds=int(gap * 1e6))

    def step(self, action: str, **details: Any) -> None:
        """Something happens at the desk; its clock may be a little off."""
        off = timedelta(milliseconds=self.random.choice([0, 0, 0, 0, -40, -3, 25]))
        self.tables.timeline.append(
            {"conversation_id": self.row["id"], "action": action, "at": self.now + off, "details": details}
        )

    def person(self, operator: UUID | None) -> dict[str, str] | None:
        return operator and {"id": str(operator), "name": "somebody"}  # type: ignore[return-value]

    def give(self, action: str, to: UUID | None) -> None:
        held, self.owner = self.owner, to
        details = {"from": self.person(held)} if action == "released" else {"to": self.person(to)}
        if action in ("transferred", "reopened"):
            details["from"] = self.person(held)
        self.step(action, **details)

    def says(self, who: str) -> None:
        """A message: by c(ustomer), o(perator), p(hone), m(achine), b(ulk)."""
        second = self.now.replace(microsecond=0)
        row = {
            "id": UUID(int=self.random.getrandbits(128)),
            "conversation_id": self.row["id"],
            "instance_id": self.row["instance_id"],
            "direction": "INBOUND" if who == "c" else "OUTBOUND",
            "kind": "reaction" if self.random.random() < 0.04 and who == "o" else "text",
            "status": "received" if who == "c" else self.random.choice(["sent", "read", "failed"]),
            "at": second,
            "created_at": self.now,
            "sent_at": None,
            "sender_id": None,
            "lane": 0,
            "lane_id": None,
            "attempts": 0 if who in "cp" else 1,
        }
        if who == "c" and self.random.random() < 0.1:
            row["created_at"] = self.now + timedelta(minutes=20)  # the provider was late
        if who == "o":
            row["sender_id"] = self.owner if self.owner and self.random.random() < 0.9 else OPERATORS[-1]
        if who == "p":
            row["sent_at"] = second
        if who == "m" and self.random.random() < 0.5:
            row |= {"attempts": 0, "status": "pending"}
        if who in "om" and self.random.random() < 0.7 and row["attempts"]:
            row["sent_at"] = self.now + timedelta(seconds=1)
        if who == "b":
            left = self.now + timedelta(seconds=self.random.choice([1, 400]))
            row |= {"lane": 1, "lane_id": self.random.choice([*LANES, None])}
            row["sent_at"] = left if self.random.random() < 0.8 else None
        self.tables.messages.append(row)

    def begin(self) -> None:
        """Who began it?"""
        kind = self.random.choice(["customer"] * 6 + ["phone", "queue", "operator", "campaign", "campaign"])
        if kind == "campaign":
            self.now -= timedelta(hours=3)
            self.says("b")
            self.now = self.row["opened_at"]
        if kind in ("customer", "campaign"):
            self.row["opened_at"] = self.now = self.now.replace(microsecond=0)
            self.says("c")
        elif kind == "phone":
            self.says("p")
        else:
            self.give("opened", self.random.choice(OPERATORS[:3]) if kind == "operator" else None)

    def go_on(self, most: int) -> None:
        """Let a few things happen while it is open."""
        for _ in range(self.random.randrange(most)):
            self.wait()
            match self.random.choice("ccccoooopmbnatrqd" if self.owner else "cccopmbnaaad"):
                case "a" if self.owner is None:
                    self.give("assigned", self.random.choice(OPERATORS[:3]))
                case "t" if self.owner:
                    self.give("transferred", self.random.choice(OPERATORS[:3]))
                case "q" if self.owner:
                    self.give("transferred", None)
                case "r" if self.owner:
                    self.give("released", None)
                case "n" | "a" | "t" | "q" | "r":
                    self.step("note", text="from whom, to whom?")
                case "d":
                    self.close()
                    self.wait()
                    self.give("reopened", self.random.choice([None, *OPERATORS[:3]]))
                case who:
                    self.says(who)

    def close(self) -> None:
        self.step("closed", tabulation={"id": str(TABULATIONS[0]), "name": "Resolved"}, notes=None, fields={})

    def end(self) -> None:
        """Close it for good."""
        self.wait()
        if self.random.random() < 0.97:
            self.close()
        self.row |= {"closed_at": self.now, "assigned_to": self.owner}
        reason = self.random.choice([*TABULATIONS, None])
        self.row |= {"tabulation_id": reason, "tabulation_name": reason and f"Reason {TABULATIONS.index(reason)}"}
        if self.random.random() < 0.1:
            self.wait()
            self.says("p")  # an echo that finds it closed
        self.tables.conversations.append(self.row)

    def take_in(self, other: "Life") -> None:
        """Have another conversation become part of this one, its messages too."""
        other.row |= {"closed_at": self.now, "merged_into": self.row["id"]}
        for message in self.tables.messages:
            if message["conversation_id"] == other.row["id"]:
                message["conversation_id"] = self.row["id"]
        self.row["opened_at"] = min(self.row["opened_at"], other.row["opened_at"])
        self.owner = self.owner or other.owner
        self.tables.conversations.append(other.row)


def generate(seed: int, count: int) -> Tables:
    """Return `count` histories, the same for the same seed."""
    random, tables = Random(seed), Tables()
    for _ in range(count):
        tables.contacts.append({"id": UUID(int=random.getrandbits(128))})
        around = datetime.fromisoformat(random.choice(CHANGES)).replace(tzinfo=UTC)
        opened = around + timedelta(microseconds=int(random.uniform(-40, 20) * 3.6e9))
        instance = random.choice(INSTANCES)
        life = Life(random, tables, opened, instance)
        life.begin()
        life.go_on(14)
        if random.random() < 0.08:
            _merge(random, tables, life, instance)
        life.go_on(6)
        life.end()
        if random.random() < 0.05:
            _only_bulk(random, tables, opened, instance)
    return tables


def _merge(random: Random, tables: Tables, life: Life, instance: UUID) -> None:
    """Another conversation of the same customer, that ran beside it, becomes part of it; that one may have such too."""
    between = life.now - life.row["opened_at"]
    other = Life(random, tables, life.row["opened_at"] + between * random.uniform(-0.3, 0.9), instance)
    other.begin()
    other.go_on(6)
    if random.random() < 0.3:
        _merge(random, tables, other, instance)
    life.now = max(life.now, other.now)
    life.take_in(other)


def _only_bulk(random: Random, tables: Tables, opened: datetime, instance: UUID) -> None:
    """A dormant conversation that was closed: it is none."""
    tables.contacts.append({"id": UUID(int=random.getrandbits(128))})
    slept = Life(random, tables, opened, instance)
    slept.says("b")
    slept.wait()
    slept.close()
    slept.row["closed_at"] = slept.now
    tables.conversations.append(slept.row)


async def write(connection: asyncpg.Connection, tables: Tables) -> None:
    """Write the rows."""
    people = [{"id": one, "name": f"Operator {n}", "email": f"{n}@example.com", "password_hash": "", "role": "OPERATOR"}
              for n, one in enumerate(OPERATORS)]  # fmt: skip
    numbers = [{"id": one, "name": f"Shop {n}", "provider": "sandbox", "credentials": b"", "state": b"",
                "webhook_secret": b"", "settings": "{}"} for n, one in enumerate(INSTANCES)]  # fmt: skip
    reasons = [{"id": one, "name": f"Reason {n}", "group": "", "required_fields": "[]"}
               for n, one in enumerate(TABULATIONS)]  # fmt: skip
    await copy(connection, "users", people)
    await copy(connection, "service_instances", numbers)
    await copy(connection, "tabulations", reasons)
    await copy(connection, "message_lanes", [{"id": one, "instance_id": INSTANCES[0], "owner": "x"} for one in LANES])
    await copy(connection, "contacts", tables.contacts)
    await copy(connection, "conversations", [{**row, "status": "closed", "tags": []} for row in tables.conversations])
    steps = [{**row, "details": orjson.dumps(row["details"]).decode()} for row in tables.timeline]
    await copy(connection, "conversation_timeline", steps)
    await copy(connection, "messages", [{**row, "status_rank": 3} for row in tables.messages])


async def copy(connection: asyncpg.Connection, table: str, rows: Sequence[Row]) -> None:
    """Copy rows, all with the same columns, into a table."""
    columns = list(rows[0])
    records = [[row[name] for name in columns] for row in rows]
    await connection.copy_records_to_table(table, records=records, columns=columns)
