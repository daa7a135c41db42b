"""Every operation refuses what its table says: strangers, wrong roles, wrong bodies. None answers with a 5xx."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from elsehu.app import operations_of
from elsehu.contracts.user import Role
from elsehu.http.operations import Operation
from elsehu.plugins import load_plugins
from elsehu.secretbox import derive, fingerprint
from elsehu.settings import DEFAULT_PLUGINS, Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.fixtures import SECRET_KEY
from elsehu.testing.serving import RunningServer

OPERATIONS = operations_of(load_plugins(Settings()))
GUARDED = [operation for operation in OPERATIONS if operation.roles is not None]
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None and not operation.multipart]


def name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def path(operation: Operation) -> str:
    parts = [str(uuid4()) if part.startswith("{") else part for part in operation.path.split("/")]
    return "/".join(parts)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": list(DEFAULT_PLUGINS)}}


@pytest.fixture
async def everybody(server: RunningServer) -> AsyncIterator[dict[str, ApiClient]]:
    async with AsyncExitStack() as stack:
        yield {role: await stack.enter_async_context(log_in_as(server, role)) for role in Role}


def expired(client: ApiClient) -> str:
    """Return the client's own token as it will be when it has expired."""
    claims = jwt.decode(client.token, options={"verify_signature": False})
    claims |= {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200}
    return jwt.encode(claims, derive(SECRET_KEY, "jwt"), "HS256", headers={"kid": fingerprint(SECRET_KEY)})


def refused(answer: httpx.Response, status: int, operation: Operation) -> None:
    assert answer.status_code == status, (name(operation), answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"]
    assert problem["requestId"] == answer.headers["x-request-id"]


async def test_no_token_a_wrong_one_and_an_expired_one_are_401(
    server: RunningServer, everybody: dict[str, ApiClient]
) -> None:
    tokens = [None, "nonsense", "elk_nonsense", everybody["ADMIN"].token[:-4] + "AAAA", expired(everybody["ADMIN"])]
    async with httpx.AsyncClient(base_url=server.url) as stranger:
        for operation in GUARDED:
            for token in tokens:
                headers = {"authorization": f"Bearer {token}"} if token else {}
                refused(await stranger.request(operation.method, path(operation), headers=headers), 401, operation)


async def test_a_role_outside_the_table_is_403(everybody: dict[str, ApiClient]) -> None:
    for operation in GUARDED:
        for role, client in everybody.items():
            if operation.roles is not None and role not in operation.roles:
                refused(await client.http.request(operation.method, path(operation)), 403, operation)


async def test_a_wrong_body_is_400_413_415_or_422(everybody: dict[str, ApiClient]) -> None:
    client = everybody["ADMIN"].http
    json_type = {"content-type": "application/json"}
    for operation in WITH_BODY:
        method, where = operation.method, path(operation)
        refused(await client.request(method, where, content=b'{"a": ', headers=json_type), 400, operation)
        text_type = {"content-type": "text/plain"}
        refused(await client.request(method, where, content=b"a=1", headers=text_type), 415, operation)
        refused(await client.request(method, where, json={"noSuchField": 1}), 422, operation)
        refused(await client.request(method, where, json=["a", "list"]), 422, operation)
        too_large = b'{"a": "' + b"x" * 2_000_000 + b'"}'
        refused(await client.request(method, where, content=too_large, headers=json_type), 413, operation)


async def test_what_does_not_exist_is_404_and_never_5xx(everybody: dict[str, ApiClient]) -> None:
    client = everybody["ADMIN"].http
    for operation in OPERATIONS:
        if "{" in operation.path and operation.body is None and not operation.multipart:
            answer = await client.request(operation.method, path(operation))
            assert answer.status_code in (404, 422), (name(operation), answer.status_code, answer.text)
            odd = operation.path.replace("{", "%7B").replace("}", "%00")
            assert (await client.request(operation.method, odd)).status_code < 500


async def test_unknown_query_parameters_are_422(everybody: dict[str, ApiClient]) -> None:
    for operation in OPERATIONS:
        if operation.method == "GET" and "{" not in operation.path and operation.roles is not None:
            answer = await everybody["ADMIN"].get(operation.path, params={"noSuchParameter": "1"})
            refused(answer, 422, operation)


async def test_unknown_routes_and_methods_are_problems(everybody: dict[str, ApiClient]) -> None:
    client = everybody["ADMIN"].http
    assert (await client.get("/api/nothing/here")).json()["code"] == "not_found"
    assert (await client.put("/api/users")).json()["code"] == "method_not_allowed"
