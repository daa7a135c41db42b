"""Coming in, staying, leaving: login, refresh, logout, a new password. Each opens its own transactions."""

from typing import Any, NoReturn

from starlette.requests import Request

from elsehu.contracts.errors import Conflict, FieldError, Invalid, PermissionDenied, Unauthenticated
from elsehu.contracts.user import Caller, Role
from elsehu.db import Row
from elsehu.identity import audit, sessions, users
from elsehu.identity.authentication import Identity
from elsehu.identity.emails import as_typed_at_login
from elsehu.identity.passwords import check_password, hash_password
from elsehu.identity.presence import presence_of
from elsehu.kernel import Kernel


async def log_in(kernel: Kernel, request: Request, email: str, password: str) -> dict[str, Any]:
    """Open a session and return the login answer.

    Raises Unauthenticated, the same and after the same work for an unknown user, a wrong password and an
    inactive user, and TooMany.
    """
    email, origin = as_typed_at_login(email), audit.origin(request)
    throttle = kernel.part(Identity).throttle
    await throttle.count(email, origin["address"])
    session = None
    while session is None:  # again only if his password or rights changed in between
        user = await _who(kernel, email, password, origin)
        session = await _open(kernel, request, user, origin)
    await throttle.forgive(email, origin["address"])
    await _keep_hash_current(kernel, user, password)
    return {**_pair(kernel, session, user), "user": await shown(kernel, user)}


async def refresh(kernel: Kernel, request: Request, refresh_token: str) -> dict[str, Any]:
    """Rotate a refresh token; return the new pair. Raises Unauthenticated: unknown, over, or used before."""
    async with kernel.db.transaction() as uow:
        session = await sessions.refresh(uow, kernel, refresh_token, audit.origin(request))
        user = await users.get(uow, session.user_id) if session else None
    if session is None or user is None:
        raise Unauthenticated("refresh_token_invalid", "This refresh token is not valid (any more): log in again.")
    return _pair(kernel, session, user)


async def log_out(kernel: Kernel, request: Request, caller: Caller, refresh_token: str | None) -> None:
    """End the caller's session, and that of his `refresh_token`."""
    user_id = user_of(caller)
    async with kernel.db.transaction() as uow:
        other = await sessions.session_of(uow, user_id, refresh_token) if refresh_token else None
        mine = [session_id for session_id in (caller.session_id, other) if session_id]
        for session_id in await sessions.revoke(uow, kernel, user_id, "logout", only=mine):
            await audit.record(uow, caller, "logout", f"session:{session_id}", **audit.origin(request))


async def change_password(kernel: Kernel, request: Request, caller: Caller, old: str, new: str) -> None:
    """Give the caller a new password and end his other sessions.

    Raises Invalid (`wrong_password`, `weak_password`), TooMany, Conflict (it was changed just now).
    """
    user, origin = await users.get(kernel.db, user_of(caller)), audit.origin(request)
    await _prove(kernel, user, old, origin["address"])
    check_password(kernel.settings.security, new, user["email"], "newPassword")
    new_hash = await hash_password(kernel.settings.security, new)
    async with kernel.db.transaction() as uow:
        if not await users.replace_password(uow, user, new_hash):
            raise Conflict("password_changed", "The password was changed at the same time elsewhere: log in again.")
        await sessions.revoke(uow, kernel, user["id"], "password_changed", keep=caller.session_id)
        await audit.record(uow, caller, "password_changed", f"user:{user['id']}", **origin)


def user_of(caller: Caller) -> Any:
    """Return the caller's user id. Raises PermissionDenied for an API key, which is nobody."""
    if caller.user_id is None:
        raise PermissionDenied("not_a_user", "An API key is no user: log in with an e-mail address and a password.")
    return caller.user_id


async def shown(kernel: Kernel, user: Row) -> dict[str, Any]:
    """Return `user` as the API shows him, with his presence."""
    presence = await presence_of(kernel, [user["id"]])
    return users.user_view(user, presence[user["id"]])


async def _who(kernel: Kernel, email: str, password: str, origin: audit.Origin) -> Row:
    user = await users.by_email(kernel.db, email)
    is_right = await kernel.part(Identity).verifier.verify(user and user["password_hash"], password)
    if user is None or not is_right or not user["is_active"]:
        await _refuse(kernel, email, user, origin)
    return user


async def _refuse(kernel: Kernel, email: str, user: Row | None, origin: audit.Origin) -> NoReturn:
    subject = f"user:{user['id']}" if user else "user:unknown"
    details = {"email": email} if "@" in email else {}  # else it may be a password in the wrong field
    async with kernel.db.transaction() as uow:
        await audit.record(uow, audit.NOBODY, "login_failed", subject, details, **origin)
    raise Unauthenticated("login_failed", "The e-mail address or the password is wrong, or the user is not active.")


async def _open(kernel: Kernel, request: Request, user: Row, origin: audit.Origin) -> sessions.OpenSession | None:
    user_agent = request.headers.get("user-agent", "")
    async with kernel.db.transaction() as uow:
        session = await sessions.start(uow, kernel, user, origin, user_agent)
        if session:
            caller = Caller(Role(user["role"]), user["id"], user["name"])
            await audit.record(uow, caller, "login", f"session:{session.id}", **origin)
    return session


async def _prove(kernel: Kernel, user: Row, password: str, address: str) -> None:
    identity = kernel.part(Identity)
    await identity.throttle.count(user["email"], address)
    if not await identity.verifier.verify(user["password_hash"], password):
        problem = FieldError("oldPassword", "is not your password")
        raise Invalid("wrong_password", "The old password is wrong.", errors=[problem])
    await identity.throttle.forgive(user["email"], address)


async def _keep_hash_current(kernel: Kernel, user: Row, password: str) -> None:
    if not kernel.part(Identity).verifier.is_outdated(user["password_hash"]):
        return
    new_hash = await hash_password(kernel.settings.security, password)
    async with kernel.db.transaction() as uow:
        await users.replace_password(uow, user, new_hash)


def _pair(kernel: Kernel, session: sessions.OpenSession, user: Row) -> dict[str, Any]:
    tokens = kernel.part(Identity).tokens
    return {
        "accessToken": tokens.issue(user["id"], session.id, Role(user["role"])),
        "refreshToken": session.refresh_token,
        "tokenType": "Bearer",
        "expiresIn": tokens.seconds,
    }
