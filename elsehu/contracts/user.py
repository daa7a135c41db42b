"""Who calls: users' roles and the caller of one request."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a person or machine may do. See docs/api.md."""

    ADMIN = "ADMIN"
    SUPERVISOR = "SUPERVISOR"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a conversation waits, or would: with the operators of its number, or with a team."""

    instance_id: UUID
    team_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose waiting conversations are an operator's to see and take: of these numbers (None: all), of his teams."""

    instances: frozenset[UUID] | None = None
    teams: frozenset[UUID] = frozenset()

    def covers(self, queue: Queue) -> bool:
        """Whether what waits in `queue` is in this scope."""
        if queue.team_id is not None:
            return queue.team_id in self.teams
        return self.instances is None or queue.instance_id in self.instances


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a user in a session, or an API key (`user_id` None) in its role's name."""

    role: Role
    user_id: UUID | None
    name: str
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    expires_at: float | None = None
    scope: Scope = Scope()

    @property
    def sees_all(self) -> bool:
        """Whether every conversation is open to this caller by role."""
        return self.role is not Role.OPERATOR

    def serves(self, queue: Queue) -> bool:
        """Whether conversations that wait in `queue` are this caller's to see and take."""
        return self.sees_all or self.scope.covers(queue)
