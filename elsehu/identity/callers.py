"""Who is behind a session or an API key: remembered for seconds, forgotten at once when it changes.

Whoever changes a user, a session or a key says so with `tell`: after the commit every process forgets what
it knew, and the realtime hub looks at its sockets. A hint can be lost (Redis away); then the memory's age
is the bound.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from elsehu.contracts.user import Caller, Role, Scope
from elsehu.db import Database, Row, UnitOfWork
from elsehu.kernel import Kernel

CHANNEL = "elsehu.sessions"
REMEMBERED_SECONDS = 5.0
MOST_REMEMBERED = 10_000

BY_SESSION = """
SELECT users.id, users.name, users.role, sessions.id AS session_id
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND users.is_active
"""

BY_KEY = """
WITH found AS (SELECT * FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL),
used AS (
    UPDATE api_keys SET last_used_at = now() FROM found
    WHERE api_keys.id = found.id
      AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
)
SELECT id, name, role, expires_at FROM found
"""


ScopeOf = Callable[[Database, UUID], Awaitable[Scope]]
"""Says which waiting conversations are an operator's: the desk knows."""


async def everything(_: Database, __: UUID) -> Scope:
    """Say that all waiting conversations are everybody's."""
    return Scope()


@dataclass(frozen=True, slots=True)
class Hint:
    """What is not as it was: these sessions of a user were revoked; without any, the user's rights changed.

    On the bus it is `{"user_id": …, "session_ids": […], "api_key_id": …}`, ids as text or null.
    """

    user_id: UUID | None = None
    session_ids: tuple[UUID, ...] = ()
    api_key_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the hint as it goes over the bus."""
        return {
            "user_id": self.user_id and str(self.user_id),
            "session_ids": [str(session_id) for session_id in self.session_ids],
            "api_key_id": self.api_key_id and str(self.api_key_id),
        }


class Callers:
    """The callers that this process has lately seen, by session id or by the hash of an API key."""

    def __init__(self, db: Database, scope_of: ScopeOf = everything) -> None:
        self._db = db
        self._scope_of = scope_of
        self._known: dict[UUID | bytes, tuple[float, Caller]] = {}
        self._changes = 0

    async def of_session(self, session_id: UUID) -> Caller | None:
        """Return the caller in a session, or None if it is over or its user may not come in."""
        return await self._remembered(session_id, BY_SESSION, _in_session)

    async def of_key(self, key_hash: bytes) -> Caller | None:
        """Return the caller with an API key (also one that has expired), or None if there is no such key."""
        return await self._remembered(key_hash, BY_KEY, _with_key)

    def heard(self, hint: dict[str, Any]) -> None:
        """Forget whom a hint from the bus is about."""
        self._changes += 1
        user_id, key_id = hint.get("user_id"), hint.get("api_key_id")
        for key, (_, caller) in list(self._known.items()):
            if user_id == str(caller.user_id) or key_id == str(caller.api_key_id):
                del self._known[key]

    async def _remembered(self, key: UUID | bytes, sql: str, caller_of: Callable[[Row], Caller]) -> Caller | None:
        until, caller = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            return caller
        changes = self._changes
        row = await self._db.fetch_row(sql, key)
        self._known.pop(key, None)
        if row is None:
            return None
        found = caller_of(row)
        if found.user_id and not found.sees_all:
            found = replace(found, scope=await self._scope_of(self._db, found.user_id))
        if changes == self._changes:  # else what was read may be from before the change
            self._remember(key, found)
        return found

    def _remember(self, key: UUID | bytes, caller: Caller) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = (time.monotonic() + REMEMBERED_SECONDS, caller)


def tell(uow: UnitOfWork, kernel: Kernel, hint: Hint) -> None:
    """Have every process, this one first, act on `hint` once the transaction is committed."""
    uow.after_commit(partial(_spread, kernel, hint.as_json()))


async def _spread(kernel: Kernel, hint: dict[str, Any]) -> None:
    if Callers in kernel.parts:
        kernel.part(Callers).heard(hint)
    await kernel.bus.publish(CHANNEL, hint)


def _in_session(row: Row) -> Caller:
    return Caller(Role(row["role"]), row["id"], row["name"], session_id=row["session_id"])


def _with_key(row: Row) -> Caller:
    expires_at = row["expires_at"] and row["expires_at"].timestamp()
    return Caller(Role(row["role"]), None, row["name"], api_key_id=row["id"], expires_at=expires_at)
