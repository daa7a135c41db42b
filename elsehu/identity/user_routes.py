"""`/api/users`: who may come in, and as what."""

from typing import Any
from uuid import UUID

from elsehu.http.operations import ADMINS, SUPERVISORS, Call, Operation
from elsehu.http.pages import decode_cursor, page_of
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.identity import audit, login, users
from elsehu.identity.presence import presence_of
from elsehu.identity.schemas import UserAnswer, UserBody, UserChanges, UserPage, plain


async def list_users(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Show a page of users."""
    after = decode_cursor(call.query.cursor, [UUID])[0] if call.query.cursor else None
    rows = await users.page(call.kernel.db, after, call.query.limit + 1)
    presence = await presence_of(call.kernel, [row["id"] for row in rows])
    return page_of(
        rows, call.query.limit, lambda row: [row["id"]], lambda row: users.user_view(row, presence[row["id"]])
    )


async def create_user(call: Call[UserBody, NoQuery]) -> dict[str, Any]:
    """Make a user."""
    body, settings = call.body, call.kernel.settings
    async with call.transaction() as uow:
        row = await users.create(
            uow, settings, name=body.name, email=body.email, password=plain(body.password), role=body.role
        )
        details = {"email": row["email"], "role": row["role"]}
        await audit.record(uow, call.caller, "user_created", f"user:{row['id']}", details, **audit.origin(call.request))
    return await login.shown(call.kernel, row)


async def get_user(call: Call[None, NoQuery]) -> dict[str, Any]:
    """Show a user."""
    return await login.shown(call.kernel, await users.get(call.kernel.db, call.path_id()))


async def update_user(call: Call[UserChanges, NoQuery]) -> dict[str, Any]:
    """Change a user."""
    given = call.body.model_dump(exclude_unset=True)
    if "password" in given:
        given["password"] = plain(call.body.password)
    return await _change(call, users.Changes(**given), "user_updated")


async def activate_user(call: Call[None, NoQuery]) -> dict[str, Any]:
    """Let a user in again."""
    return await _change(call, users.Changes(is_active=True), "user_activated")


async def deactivate_user(call: Call[None, NoQuery]) -> dict[str, Any]:
    """Keep a user out."""
    return await _change(call, users.Changes(is_active=False), "user_deactivated")


async def delete_user(call: Call[None, NoQuery]) -> None:
    """Keep a user out; what he wrote keeps his name."""
    await _change(call, users.Changes(is_active=False), "user_deactivated")


async def _change(call: Call[Any, NoQuery], changes: users.Changes, action: str) -> dict[str, Any]:
    user_id = call.path_id()
    async with call.transaction() as uow:
        row = await users.change(uow, call.kernel, user_id, changes)
        await audit.record(
            uow, call.caller, action, f"user:{user_id}", changes.for_audit(), **audit.origin(call.request)
        )
    return await login.shown(call.kernel, row)


OPERATIONS = (
    Operation(
        "GET",
        "/api/users",
        list_users,
        "List users, in the order of their making.",
        "users",
        roles=SUPERVISORS,
        query=PageQuery,
        answer=UserPage,
    ),
    Operation(
        "POST",
        "/api/users",
        create_user,
        "Make a user. 409 `email_taken` if the address is somebody's.",
        "users",
        roles=ADMINS,
        body=UserBody,
        answer=UserAnswer,
        status=201,
        refusals=(409,),
    ),
    Operation("GET", "/api/users/{id}", get_user, "See a user.", "users", roles=SUPERVISORS, answer=UserAnswer),
    Operation(
        "PATCH",
        "/api/users/{id}",
        update_user,
        "Change a user. A new role counts at once; a new password ends the user's sessions.",
        "users",
        roles=ADMINS,
        body=UserChanges,
        answer=UserAnswer,
        refusals=(409,),
    ),
    Operation(
        "DELETE",
        "/api/users/{id}",
        delete_user,
        "Deactivate a user: nothing is deleted, sessions end. 409 `last_admin` for the last active ADMIN.",
        "users",
        roles=ADMINS,
        refusals=(409,),
    ),
    Operation(
        "POST",
        "/api/users/{id}/activate",
        activate_user,
        "Let a user log in again.",
        "users",
        roles=ADMINS,
        answer=UserAnswer,
    ),
    Operation(
        "POST",
        "/api/users/{id}/deactivate",
        deactivate_user,
        "Keep a user out; sessions end at once. 409 `last_admin` for the last active ADMIN.",
        "users",
        roles=ADMINS,
        answer=UserAnswer,
        refusals=(409,),
    ),
)
