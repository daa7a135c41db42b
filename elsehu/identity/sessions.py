"""Sessions: each login is a family of refresh tokens, of which exactly one, the newest, is good, once."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from elsehu.contracts.user import Caller, Role
from elsehu.db import Row, UnitOfWork
from elsehu.identity.audit import Origin, record
from elsehu.identity.callers import Hint, tell
from elsehu.ids import new_id, new_token
from elsehu.kernel import Kernel

OPEN = """
INSERT INTO sessions (id, user_id, expires_at, address, user_agent)
SELECT $1, id, now() + $4 * interval '1 day', $5, $6
FROM users WHERE id = $2 AND is_active AND password_hash = $3 FOR SHARE
RETURNING id
"""

ADD = "INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2)"

LOCK = """
SELECT tokens.used_at, sessions.id AS session_id, sessions.user_id,
       sessions.revoked_at IS NULL AND sessions.expires_at > now() AS is_open
FROM refresh_tokens tokens JOIN sessions ON sessions.id = tokens.session_id
WHERE tokens.token_hash = $1
FOR UPDATE
"""

USE = "UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1"

PROLONG = "UPDATE sessions SET expires_at = now() + $2 * interval '1 day' WHERE id = $1"

REVOKE = """
WITH doomed AS (
    SELECT id FROM sessions
    WHERE revoked_at IS NULL AND user_id = $1 AND ($2::uuid[] IS NULL OR id = ANY($2)) AND id IS DISTINCT FROM $3
    ORDER BY id FOR UPDATE
)
UPDATE sessions SET revoked_at = now(), revoked_why = $4 FROM doomed WHERE sessions.id = doomed.id
RETURNING sessions.id
"""

FIND = """
SELECT sessions.id FROM refresh_tokens JOIN sessions ON sessions.id = refresh_tokens.session_id
WHERE token_hash = $1 AND user_id = $2
"""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session, and the refresh token that its user must keep: only its hash is stored."""

    id: UUID
    user_id: UUID
    refresh_token: str


async def start(uow: UnitOfWork, kernel: Kernel, user: Row, origin: Origin, user_agent: str) -> OpenSession | None:
    """Open a session for `user`, or return None if meanwhile he was deactivated or has another password."""
    session_id = await uow.fetch_value(
        OPEN, new_id(), user["id"], user["password_hash"], _days(kernel), origin["address"], user_agent[:300]
    )
    return await _with_new_token(uow, session_id, user["id"]) if session_id else None


async def refresh(uow: UnitOfWork, kernel: Kernel, refresh_token: str, origin: Origin) -> OpenSession | None:
    """Take `refresh_token` and give the next one. None: it is unknown, over, or used.

    A token that comes a second time was stolen, now or before: its whole session is revoked. Two parallel
    uses wait for one another here, so the second is always seen. The caller must commit after None, too.
    """
    token_hash = _hash(refresh_token)
    found = await uow.fetch_row(LOCK, token_hash)
    if found is None or not found["is_open"]:
        return None
    if found["used_at"] is not None:
        await _reused(uow, kernel, found, origin)
        return None
    await uow.execute(USE, token_hash)
    await uow.execute(PROLONG, found["session_id"], _days(kernel))
    return await _with_new_token(uow, found["session_id"], found["user_id"])


async def revoke(
    uow: UnitOfWork,
    kernel: Kernel,
    user_id: UUID,
    why: str,
    *,
    only: list[UUID] | None = None,
    keep: UUID | None = None,
) -> list[UUID]:
    """End all sessions of a user, or those in `only`, but never `keep`; every process is told. Return which."""
    rows = await uow.fetch(REVOKE, user_id, only, keep, why)
    ended = [row["id"] for row in rows]
    if ended:
        tell(uow, kernel, Hint(user_id, tuple(ended)))
    return ended


async def session_of(uow: UnitOfWork, user_id: UUID, refresh_token: str) -> UUID | None:
    """Return the session of `user_id` that `refresh_token` belongs to, used or not; None if there is none."""
    session_id: UUID | None = await uow.fetch_value(FIND, _hash(refresh_token), user_id)
    return session_id


async def _reused(uow: UnitOfWork, kernel: Kernel, found: Row, origin: Origin) -> None:
    await revoke(uow, kernel, found["user_id"], "refresh_reused", only=[found["session_id"]])
    owner = Caller(Role.OPERATOR, found["user_id"], "")
    await record(uow, owner, "refresh_reused", f"session:{found['session_id']}", **origin)


async def _with_new_token(uow: UnitOfWork, session_id: UUID, user_id: UUID) -> OpenSession:
    token = new_token()
    await uow.execute(ADD, _hash(token), session_id)
    return OpenSession(session_id, user_id, token)


def _days(kernel: Kernel) -> float:
    return kernel.settings.security.refresh_token_days


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
