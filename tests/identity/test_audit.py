"""The audit log: every login and every admin's action is in it, and nothing can be taken out."""

from typing import Any

import asyncpg
import orjson
import pytest

from elsehu.kernel import Kernel
from elsehu.testing.client import PASSWORD, ApiClient
from elsehu.testing.serving import RunningServer

MARIA = {"name": "Maria", "email": "maria@example.com", "role": "OPERATOR", "password": "a good long password"}


async def entries(kernel: Kernel) -> list[dict[str, Any]]:
    rows = await kernel.db.fetch("SELECT * FROM audit_log ORDER BY id")
    return [{**row, "details": orjson.loads(row["details"])} for row in rows]


async def test_what_people_do_is_written_down(server: RunningServer, admin: ApiClient) -> None:
    me = admin.user["id"]
    maria = (await admin.post("/api/users", MARIA)).json()["id"]
    login = (await admin.post("/api/auth/login", {"email": MARIA["email"], "password": MARIA["password"]})).json()
    await admin.post("/api/auth/login", {"email": MARIA["email"], "password": "a wrong password"})
    await admin.post("/api/auth/login", {"email": "nobody@example.com", "password": "a wrong password"})
    await admin.post("/api/auth/login", {"email": "a wrong password", "password": "a wrong password"})
    await admin.patch(f"/api/users/{maria}", {"role": "SUPERVISOR", "password": "another good password"})
    await admin.post(f"/api/users/{maria}/deactivate")
    await admin.post(f"/api/users/{maria}/activate")
    await admin.delete(f"/api/users/{maria}")
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": "ADMIN"})).json()
    await admin.post(f"/api/users/{maria}/activate", headers={"authorization": f"Bearer {key['key']}"})
    await admin.delete(f"/api/api-keys/{key['id']}")
    await admin.post("/api/auth/password", {"oldPassword": PASSWORD, "newPassword": "yet another password"})
    await admin.post("/api/auth/logout")

    log = await entries(server.kernel)
    assert [(entry["action"], entry["actor_id"] and str(entry["actor_id"])) for entry in log] == [
        ("login", me),
        ("user_created", me),
        ("login", maria),
        ("login_failed", None),
        ("login_failed", None),
        ("login_failed", None),
        ("user_updated", me),
        ("user_deactivated", me),
        ("user_activated", me),
        ("user_deactivated", me),
        ("api_key_created", me),
        ("user_activated", key["id"]),
        ("api_key_revoked", me),
        ("password_changed", me),
        ("logout", me),
    ]
    assert [entry["subject"] for entry in log[3:6]] == [f"user:{maria}", "user:unknown", "user:unknown"]
    assert log[6]["details"] == {"role": "SUPERVISOR", "password": "changed"}
    assert all(entry["address"] == "127.0.0.1" for entry in log)
    written = repr(log)
    for secret in (
        "a good long",
        "a wrong",
        "another good",
        "yet another",
        key["key"],
        login["refreshToken"],
        PASSWORD,
    ):
        assert secret not in written


async def test_what_is_refused_is_not_written_down(server: RunningServer, admin: ApiClient) -> None:
    before = len(await entries(server.kernel))
    await admin.delete(f"/api/users/{admin.user['id']}")
    await admin.post("/api/users", {**MARIA, "email": admin.user["email"]})
    assert len(await entries(server.kernel)) == before


@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit_log", "UPDATE audit_log SET action = ''", "TRUNCATE audit_log"]
)
async def test_the_log_only_grows(server: RunningServer, admin: ApiClient, statement: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="only grows"):
        await server.kernel.db.execute(statement)
