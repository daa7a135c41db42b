"""API keys: machines' tokens. The key itself is shown once, at its making; only its SHA-256 is stored."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat, utc_now
from elsehu.contracts.errors import FieldError, Invalid, NotFound, PermissionDenied
from elsehu.contracts.user import Caller, Role
from elsehu.db import Database, Row, UnitOfWork
from elsehu.identity.callers import Hint, tell
from elsehu.ids import new_id, new_token
from elsehu.kernel import Kernel

PREFIX = "elk_"
HINT_LENGTH = len(PREFIX) + 4
RANK = {Role.OPERATOR: 0, Role.SUPERVISOR: 1, Role.ADMIN: 2}

INSERT = """
INSERT INTO api_keys (id, name, key_hash, hint, role, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *
"""

PAGE = """
SELECT * FROM api_keys WHERE revoked_at IS NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
"""

REVOKE = "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING name"


async def create(
    uow: UnitOfWork, creator: Caller, *, name: str, role: Role, expires_at: datetime | None
) -> tuple[Row, str]:
    """Make a key; return its row and the key itself.

    Raises PermissionDenied for a role above the creator's, Invalid for an expiry in the past.
    """
    if RANK[role] > RANK[creator.role]:
        raise PermissionDenied("forbidden", f"Your role {creator.role} cannot make a key with the role {role}.")
    if expires_at is not None and expires_at <= utc_now():
        problem = FieldError("expiresAt", "must be in the future")
        raise Invalid("invalid_request", "The key would have expired already.", errors=[problem])
    key = PREFIX + new_token()
    row = await uow.fetch_row(
        INSERT, new_id(), name, hash_of(key), key[:HINT_LENGTH], role, creator.user_id, expires_at
    )
    assert row is not None
    return row, key


async def revoke(uow: UnitOfWork, kernel: Kernel, key_id: UUID) -> str:
    """End a key at once, everywhere; return its name. Raises NotFound."""
    name = await uow.fetch_value(REVOKE, key_id)
    if name is None:
        raise NotFound("not_found", f"There is no API key with the id {key_id}.")
    tell(uow, kernel, Hint(api_key_id=key_id))
    return str(name)


async def page(db: Database | UnitOfWork, after: UUID | None, limit: int) -> list[Row]:
    """Return up to `limit` keys that were not revoked, in the order of their making."""
    return await db.fetch(PAGE, after, limit)


def api_key_view(row: Row) -> dict[str, Any]:
    """Return a key as the API shows it: never the key itself."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "hint": row["hint"],
        "role": row["role"],
        "createdAt": isoformat(row["created_at"]),
        "expiresAt": row["expires_at"] and isoformat(row["expires_at"]),
        "lastUsedAt": row["last_used_at"] and isoformat(row["last_used_at"]),
    }


def hash_of(key: str) -> bytes:
    """Return what is stored of `key`."""
    return hashlib.sha256(key.encode()).digest()
