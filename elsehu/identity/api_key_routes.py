"""`/api/api-keys`: tokens for machines."""

from typing import Any
from uuid import UUID

from elsehu.http.operations import ADMINS, Call, Operation
from elsehu.http.pages import decode_cursor, page_of
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.identity import api_keys, audit
from elsehu.identity.schemas import ApiKeyBody, ApiKeyPage, NewApiKeyAnswer


async def list_keys(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Show a page of keys."""
    after = decode_cursor(call.query.cursor, [UUID])[0] if call.query.cursor else None
    rows = await api_keys.page(call.kernel.db, after, call.query.limit + 1)
    return page_of(rows, call.query.limit, lambda row: [row["id"]], api_keys.api_key_view)


async def create_key(call: Call[ApiKeyBody, NoQuery]) -> dict[str, Any]:
    """Make a key and show it, this once."""
    body = call.body
    async with call.transaction() as uow:
        row, key = await api_keys.create(uow, call.caller, name=body.name, role=body.role, expires_at=body.expires_at)
        details = {"name": row["name"], "role": row["role"], "expires_at": row["expires_at"]}
        await audit.record(
            uow, call.caller, "api_key_created", f"api_key:{row['id']}", details, **audit.origin(call.request)
        )
    return {**api_keys.api_key_view(row), "key": key}


async def delete_key(call: Call[None, NoQuery]) -> None:
    """End a key."""
    key_id = call.path_id()
    async with call.transaction() as uow:
        name = await api_keys.revoke(uow, call.kernel, key_id)
        await audit.record(
            uow, call.caller, "api_key_revoked", f"api_key:{key_id}", {"name": name}, **audit.origin(call.request)
        )


OPERATIONS = (
    Operation(
        "GET",
        "/api/api-keys",
        list_keys,
        "List API keys: how they begin, never the keys themselves.",
        "api keys",
        roles=ADMINS,
        query=PageQuery,
        answer=ApiKeyPage,
    ),
    Operation(
        "POST",
        "/api/api-keys",
        create_key,
        "Make an API key. The answer is the only place where it is ever shown.",
        "api keys",
        roles=ADMINS,
        body=ApiKeyBody,
        answer=NewApiKeyAnswer,
        status=201,
    ),
    Operation(
        "DELETE",
        "/api/api-keys/{id}",
        delete_key,
        "End an API key, at once and for good.",
        "api keys",
        roles=ADMINS,
    ),
)
