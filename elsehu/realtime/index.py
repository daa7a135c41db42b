"""Sessions by who they are: the receivers of an event are found without asking each of them."""

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar
from uuid import UUID

from elsehu.contracts.user import Role
from elsehu.realtime.registry import Audience
from elsehu.realtime.session import Session

Key = TypeVar("Key", bound=Hashable)


class Groups(Generic[Key]):
    """Sets of sessions by a key; an empty set takes no memory."""

    def __init__(self) -> None:
        self._groups: dict[Key, set[Session]] = defaultdict(set)

    def add(self, key: Key, session: Session) -> bool:
        """Add a session; returns whether it is the first with this key."""
        group = self._groups[key]
        group.add(session)
        return len(group) == 1

    def discard(self, key: Key, session: Session) -> bool:
        """Take a session out; returns whether it was the last with this key."""
        group = self._groups.get(key)
        if group is None:
            return False
        group.discard(session)
        if not group:
            del self._groups[key]
        return not group

    def of(self, key: Key) -> frozenset[Session] | set[Session]:
        """Return the sessions with a key."""
        return self._groups.get(key, NONE)

    def __contains__(self, key: Key) -> bool:
        return key in self._groups

    def __bool__(self) -> bool:
        return bool(self._groups)


NONE: frozenset[Session] = frozenset()


class People:
    """Sessions by role and by user."""

    def __init__(self) -> None:
        self._by_role: Groups[Role] = Groups()
        self._by_user: Groups[UUID] = Groups()

    def add(self, session: Session) -> None:
        """Add a session."""
        self._by_role.add(session.caller.role, session)
        if session.caller.user_id:
            self._by_user.add(session.caller.user_id, session)

    def discard(self, session: Session) -> None:
        """Take a session out."""
        self._by_role.discard(session.caller.role, session)
        if session.caller.user_id:
            self._by_user.discard(session.caller.user_id, session)

    def within(self, audience: Audience) -> set[Session]:
        """Return the sessions of an audience."""
        roles = [self._by_role.of(role) for role in audience.roles]
        users = [self._by_user.of(user_id) for user_id in audience.users]
        return set().union(*roles, *users)

    def __bool__(self) -> bool:
        return bool(self._by_role)
