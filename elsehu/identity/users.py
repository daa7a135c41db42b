"""Users: making, changing, deactivating them. One active ADMIN always remains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from elsehu.clock import isoformat
from elsehu.contracts.errors import Conflict, NotFound
from elsehu.contracts.user import Role
from elsehu.db import Database, Row, UnitOfWork
from elsehu.identity import sessions
from elsehu.identity.callers import Hint, tell
from elsehu.identity.emails import normalise_email
from elsehu.identity.passwords import check_password, hash_password
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.settings import Settings

INSERT = """
INSERT INTO users (id, name, email, password_hash, role) VALUES ($1, $2, $3, $4, $5) RETURNING *
"""

UPDATE = """
UPDATE users SET name = coalesce($2, name), email = coalesce($3, email), role = coalesce($4, role),
    password_hash = coalesce($5, password_hash), is_active = coalesce($6, is_active), updated_at = now()
WHERE id = $1 RETURNING *
"""

REPLACE_HASH = "UPDATE users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2"

LOCK_ACTIVE_ADMINS = "SELECT id FROM users WHERE role = 'ADMIN' AND is_active ORDER BY id FOR UPDATE"

PAGE = "SELECT * FROM users WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed of a user; None leaves it as it is."""

    name: str | None = None
    email: str | None = None
    role: Role | None = None
    password: str | None = None
    is_active: bool | None = None

    @property
    def may_remove_an_admin(self) -> bool:
        """Whether an active ADMIN would not be one any more."""
        return self.is_active is False or self.role not in {None, Role.ADMIN}

    def for_audit(self) -> dict[str, Any]:
        """Return what is changed, without the password itself."""
        shown = {"name": self.name, "email": self.email, "role": self.role, "is_active": self.is_active}
        changed = {field: value for field, value in shown.items() if value is not None}
        return {**changed, "password": "changed"} if self.password is not None else changed


async def create(uow: UnitOfWork, settings: Settings, *, name: str, email: str, password: str, role: str) -> Row:
    """Make an active user. Raises Invalid (`weak_password`), Conflict (`email_taken`), ValueError for no e-mail."""
    email = normalise_email(email)
    check_password(settings.security, password, email)
    password_hash = await hash_password(settings.security, password)
    try:
        row = await uow.fetch_row(INSERT, new_id(), name, email, password_hash, Role(role))
    except asyncpg.UniqueViolationError:
        raise email_taken(email) from None
    assert row is not None
    return row


async def change(uow: UnitOfWork, kernel: Kernel, user_id: UUID, changes: Changes) -> Row:
    """Change a user and return him as he then is. A new password or deactivation ends his sessions.

    Raises NotFound, Conflict (`last_admin`, `email_taken`), Invalid (`weak_password`).
    """
    if changes.may_remove_an_admin:
        await _keep_an_admin(uow, user_id)
    row = await _update(uow, user_id, changes, await _new_hash(uow, kernel, user_id, changes))
    if changes.is_active is False:
        await sessions.revoke(uow, kernel, user_id, "deactivated")
    elif changes.password is not None:
        await sessions.revoke(uow, kernel, user_id, "password_reset")
    tell(uow, kernel, Hint(user_id))
    return row


async def replace_password(uow: UnitOfWork, user: Row, password_hash: str) -> bool:
    """Store a new hash for `user`, unless his password is no longer the one that he was read with."""
    return await uow.execute(REPLACE_HASH, user["id"], user["password_hash"], password_hash) == "UPDATE 1"


async def by_email(db: Database | UnitOfWork, email: str) -> Row | None:
    """Return the user with the address `email`, whatever its case."""
    return await db.fetch_row("SELECT * FROM users WHERE lower(email) = lower($1)", email)


async def get(db: Database | UnitOfWork, user_id: UUID) -> Row:
    """Return a user. Raises NotFound."""
    row = await db.fetch_row("SELECT * FROM users WHERE id = $1", user_id)
    if row is None:
        raise no_such_user(user_id)
    return row


async def page(db: Database | UnitOfWork, after: UUID | None, limit: int) -> list[Row]:
    """Return up to `limit` users in the order of their making, those after the id `after`."""
    return await db.fetch(PAGE, after, limit)


def user_view(row: Mapping[str, Any] | Row, presence: str) -> dict[str, Any]:
    """Return a user as the API shows him."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "email": row["email"],
        "role": row["role"],
        "isActive": row["is_active"],
        "createdAt": isoformat(row["created_at"]),
        "presence": presence,
    }


async def _update(uow: UnitOfWork, user_id: UUID, changes: Changes, password_hash: str | None) -> Row:
    values = (changes.name, changes.email, changes.role, password_hash, changes.is_active)
    try:
        row = await uow.fetch_row(UPDATE, user_id, *values)
    except asyncpg.UniqueViolationError:
        raise email_taken(changes.email) from None
    if row is None:
        raise no_such_user(user_id)
    return row


async def _new_hash(uow: UnitOfWork, kernel: Kernel, user_id: UUID, changes: Changes) -> str | None:
    if changes.password is None:
        return None
    email = changes.email or (await get(uow, user_id))["email"]
    check_password(kernel.settings.security, changes.password, email)
    return await hash_password(kernel.settings.security, changes.password)


async def _keep_an_admin(uow: UnitOfWork, user_id: UUID) -> None:
    """Raise Conflict if `user_id` is the last active ADMIN. Until the end of `uow` nobody else can remove one."""
    admins = {row["id"] for row in await uow.fetch(LOCK_ACTIVE_ADMINS)}
    if admins == {user_id}:
        raise Conflict("last_admin", "This is the last active ADMIN. Make another user ADMIN first.")


def email_taken(email: str | None) -> Conflict:
    """Return the refusal of an address that another user has."""
    return Conflict("email_taken", f"There is already a user with the e-mail address {email}.")


def no_such_user(user_id: UUID) -> NotFound:
    """Return the refusal for an id that no user has."""
    return NotFound("not_found", f"There is no user with the id {user_id}.")
