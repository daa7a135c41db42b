"""`/api/auth`: coming in, staying, leaving."""

from typing import Any

from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import login, users
from elsehu.identity.schemas import (
    LoginAnswer,
    LoginBody,
    LogoutBody,
    PasswordBody,
    RefreshBody,
    TokenPair,
    UserAnswer,
    plain,
)


async def log_in(call: Call[LoginBody, NoQuery]) -> dict[str, Any]:
    """Open a session."""
    return await login.log_in(call.kernel, call.request, call.body.email, plain(call.body.password))


async def refresh(call: Call[RefreshBody, NoQuery]) -> dict[str, Any]:
    """Give the next pair of tokens for a refresh token."""
    return await login.refresh(call.kernel, call.request, plain(call.body.refresh_token))


async def log_out(call: Call[LogoutBody, NoQuery]) -> None:
    """End the caller's session."""
    await login.log_out(call.kernel, call.request, call.caller, plain(call.body.refresh_token))


async def me(call: Call[None, NoQuery]) -> dict[str, Any]:
    """Show who is logged in."""
    return await login.shown(call.kernel, await users.get(call.kernel.db, login.user_of(call.caller)))


async def change_password(call: Call[PasswordBody, NoQuery]) -> None:
    """Give the caller a new password."""
    old, new = plain(call.body.old_password), plain(call.body.new_password)
    await login.change_password(call.kernel, call.request, call.caller, old, new)


OPERATIONS = (
    Operation(
        "POST",
        "/api/auth/login",
        log_in,
        "Log in. 401 is the same for an unknown user, a wrong password and an inactive user.",
        "auth",
        roles=None,
        body=LoginBody,
        answer=LoginAnswer,
        refusals=(401, 429),
    ),
    Operation(
        "POST",
        "/api/auth/refresh",
        refresh,
        "Get a new pair of tokens. A refresh token that comes twice ends its session.",
        "auth",
        roles=None,
        body=RefreshBody,
        answer=TokenPair,
        refusals=(401,),
    ),
    Operation(
        "POST",
        "/api/auth/logout",
        log_out,
        "End the session of the access token, and that of the refresh token if one is given.",
        "auth",
        body=LogoutBody,
        body_optional=True,
    ),
    Operation("GET", "/api/auth/me", me, "See who is logged in.", "auth", answer=UserAnswer, refusals=(403,)),
    Operation(
        "POST",
        "/api/auth/password",
        change_password,
        "Choose a new password. All other sessions of the user end.",
        "auth",
        body=PasswordBody,
        refusals=(403, 409, 429),
    ),
)
