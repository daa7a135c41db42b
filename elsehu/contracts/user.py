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
class Caller:
    """Who makes a request: a user in a session, or an API key (`user_id` None) in its role's name."""

    role: Role
    user_id: UUID | None
    name: str
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    expires_at: float | None = None

    @property
    def sees_all(self) -> bool:
        """Whether every conversation is open to this caller by role."""
        return self.role is not Role.OPERATOR
