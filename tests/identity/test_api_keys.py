"""API keys: shown once, good for what their role may, over at once."""

import itertools
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from elsehu.contracts.errors import PermissionDenied
from elsehu.contracts.user import Caller, Role
from elsehu.identity import api_keys
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


async def make(admin: ApiClient, role: str = "SUPERVISOR", **more: Any) -> dict[str, Any]:
    answer = await admin.post("/api/api-keys", {"name": "reports", "role": role, **more})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def used(admin: ApiClient, key: str, path: str = "/api/users") -> httpx.Response:
    return await admin.get(path, headers={"authorization": f"Bearer {key}"})


async def test_the_life_of_a_key(server: RunningServer, admin: ApiClient) -> None:
    made = await make(admin)
    assert set(made) == {"id", "name", "hint", "role", "createdAt", "expiresAt", "lastUsedAt", "key"}
    assert made["key"].startswith(made["hint"]) and made["key"].startswith("elk_")
    assert len(made["hint"]) == 8 < len(made["key"]) / 4
    assert (await used(admin, made["key"])).status_code == 200
    (listed,) = (await admin.get("/api/api-keys")).json()["items"]
    assert "key" not in listed
    assert listed["lastUsedAt"] is not None
    assert {**listed, "lastUsedAt": None, "key": made["key"]} == made
    assert (await admin.delete(f"/api/api-keys/{made['id']}")).status_code == 204
    refused = await used(admin, made["key"])
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")
    assert (await admin.get("/api/api-keys")).json()["items"] == []
    assert (await admin.delete(f"/api/api-keys/{made['id']}")).status_code == 404


async def test_a_key_can_what_its_role_can(admin: ApiClient) -> None:
    operator, supervisor, machine = [(await make(admin, role))["key"] for role in ("OPERATOR", "SUPERVISOR", "ADMIN")]
    statuses = [
        (await used(admin, key, path)).status_code
        for key in (operator, supervisor, machine)
        for path in ("/api/users", "/api/api-keys")
    ]
    assert statuses == [403, 403, 200, 403, 200, 200]


async def test_a_key_is_nobody(admin: ApiClient) -> None:
    headers = {"authorization": f"Bearer {(await make(admin))['key']}"}
    body = {"oldPassword": "x", "newPassword": "a good long password"}
    for answer in (
        await admin.get("/api/auth/me", headers=headers),
        await admin.post("/api/auth/logout", headers=headers),
        await admin.post("/api/auth/password", body, headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_user")


async def test_a_key_expires(server: RunningServer, admin: ApiClient) -> None:
    made = await make(admin, expiresAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await used(admin, made["key"])).status_code == 200
    lapsed = await make(admin, expiresAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    await server.kernel.db.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", lapsed["id"])
    refused = await used(admin, lapsed["key"])
    assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")


async def test_a_remembered_key_expires_on_time(server: RunningServer, admin: ApiClient) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made = await make(admin, expiresAt=soon.isoformat())
    statuses = set()
    while datetime.now(UTC) < soon + timedelta(milliseconds=300):
        statuses.add((await used(admin, made["key"])).status_code)
    assert statuses == {200, 401}
    assert (await used(admin, made["key"])).status_code == 401


async def test_keys_are_not_stored(server: RunningServer, admin: ApiClient) -> None:
    answer = await admin.post(
        "/api/api-keys", {"name": "k", "role": "OPERATOR"}, headers={"idempotency-key": "only once"}
    )
    secret = answer.json()["key"].removeprefix("elk_")[8:]
    for table in ("api_keys", "audit_log", "idempotency_keys"):
        rows = await server.kernel.db.fetch(f"SELECT t::text AS row FROM {table} t")
        assert rows
        assert all(secret not in row["row"] and secret.encode().hex() not in row["row"] for row in rows)


async def test_no_key_is_above_its_creator(kernel: Kernel) -> None:
    roles = [Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN]
    allowed = set()
    for creator, role in itertools.product(roles, roles):
        with suppress(PermissionDenied):
            async with kernel.db.transaction() as uow:
                await api_keys.create(uow, Caller(creator, None, "x"), name="k", role=role, expires_at=None)
            allowed.add((creator, role))
    assert allowed == {(creator, role) for n, creator in enumerate(roles) for role in roles[: n + 1]}
