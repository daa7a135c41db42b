"""Everybody who can be given conversations, as they stand now: read at once, asked in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.rules import Candidate
from elsehu.contracts.user import Queue, Scope
from elsehu.db import Database, Row, UnitOfWork
from elsehu.desk.hours import Hours
from elsehu.desk.people.scopes import scope

OPERATORS = """
SELECT u.id, u.name, u.role, o.capacity, o.instance_ids, o.hours, coalesce(o.presence, 'offline') AS presence,
       o.last_given_at,
       (SELECT count(*) FROM conversations v WHERE v.assigned_to = u.id AND v.status = 'assigned') AS load
FROM users u LEFT JOIN desk_operators o ON o.user_id = u.id
WHERE u.is_active AND ($1::uuid[] IS NULL OR u.id = ANY($1))
ORDER BY u.id
"""
TEAMS = """
SELECT t.id, t.instance_ids, t.hours,
       ARRAY(SELECT user_id FROM team_members m WHERE m.team_id = t.id) AS members
FROM teams t WHERE t.is_active ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A user at the desk. `hours` are those of his own, of `teams` by their ids; None: always."""

    row: Mapping[str, Any]
    limit: int
    scope: Scope
    hours: Hours | None
    teams: Mapping[UUID, Hours | None]

    @property
    def id(self) -> UUID:
        """Whose this is."""
        user_id: UUID = self.row["id"]
        return user_id

    def is_on_duty(self, now: datetime, team_id: UUID | None = None) -> bool:
        """Whether he works now (for one of his teams, or at all): by his own hours, else by those of his teams."""
        if self.hours is not None:
            return self.hours.include(now)
        asked = [self.teams.get(team_id)] if team_id else list(self.teams.values())
        return not asked or any(hours is None or hours.include(now) for hours in asked)

    def candidate(self, queue: Queue, now: datetime) -> Candidate:
        """Return how he stands to what waits in `queue`."""
        return Candidate(
            user_id=self.id,
            name=self.row["name"],
            presence=self.row["presence"],
            load=self.row["load"],
            capacity=self.limit,
            serves=self.scope.covers(queue),
            on_duty=self.is_on_duty(now, queue.team_id),
            last_given_at=self.row["last_given_at"],
        )

    def given(self, at: datetime) -> "Member":
        """Return him with one conversation more."""
        return replace(self, row={**self.row, "load": self.row["load"] + 1, "last_given_at": at})


async def roster(db: Database | UnitOfWork, capacity: int, user_ids: Sequence[UUID] | None = None) -> list[Member]:
    """Return all active users, or some, by their ids. `capacity` is that of operators who have none of their own."""
    teams = await db.fetch(TEAMS)
    return [_member(row, teams, capacity) for row in await db.fetch(OPERATORS, user_ids)]


def _member(row: Row, teams: Sequence[Row], capacity: int) -> Member:
    mine = [team for team in teams if row["id"] in team["members"]]
    default = capacity if row["role"] == "OPERATOR" else 0
    return Member(
        row=dict(row),
        limit=default if row["capacity"] is None else row["capacity"],
        scope=scope(row["instance_ids"], [(team["id"], team["instance_ids"]) for team in mine]),
        hours=_hours(row["hours"]),
        teams={team["id"]: _hours(team["hours"]) for team in mine},
    )


def _hours(stored: str | None) -> Hours | None:
    return None if stored is None else Hours.of_json(orjson.loads(stored))
