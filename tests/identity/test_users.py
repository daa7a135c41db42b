"""Users: who may do what to whom, and that one admin always remains."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from elsehu.testing.client import PASSWORD, ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

MARIA = {"name": "Maria", "email": "maria@example.com", "role": "OPERATOR", "password": "a good long password"}


@pytest.fixture
async def machine(admin: ApiClient) -> AsyncIterator[httpx.AsyncClient]:
    """An ADMIN that is nobody: an API key, which no change to users can touch."""
    key = (await admin.post("/api/api-keys", {"name": "machine", "role": "ADMIN"})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=admin.http.base_url, headers=headers, timeout=30) as http:
        yield http


async def test_an_admin_makes_a_user_who_can_log_in(admin: ApiClient) -> None:
    answer = await admin.post("/api/users", MARIA)
    assert answer.status_code == 201
    user = answer.json()
    assert set(user) == {"id", "name", "email", "role", "isActive", "createdAt", "presence"}
    assert (user["name"], user["email"], user["role"], user["isActive"]) == ("Maria", MARIA["email"], "OPERATOR", True)
    assert user["presence"] == "offline"
    assert (await admin.get(f"/api/users/{user['id']}")).json() == user
    login = await admin.post("/api/auth/login", {"email": MARIA["email"], "password": MARIA["password"]})
    assert login.status_code == 200


async def test_an_address_belongs_to_one_user(admin: ApiClient) -> None:
    await admin.post("/api/users", MARIA)
    for email in ("maria@example.com", "MARIA@EXAMPLE.COM", " Maria@Example.com"):
        answer = await admin.post("/api/users", {**MARIA, "email": email})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    answers = await asyncio.gather(*(admin.post("/api/users", {**MARIA, "email": "j@example.com"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"email": "maria"}, "email"),
    ({"email": "a@b@c"}, "email"),
    ({"email": ""}, "email"),
    ({"email": None}, "email"),
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"role": "GOD"}, "role"),
    ({"role": "admin"}, "role"),
    ({"password": "short"}, "password"),
    ({"password": "maria@example.com"}, "password"),
    ({"password": "ß" * 501}, "password"),
    ({"password": 1234567890}, "password"),
    ({"isActive": True}, "isActive"),
    ({"id": str(uuid4())}, "id"),
]


async def test_a_field_that_will_not_do_is_named(admin: ApiClient) -> None:
    for change, field in WRONG_FIELDS:
        answer = await admin.post("/api/users", {**MARIA, **change})
        assert answer.status_code == 422, change
        assert [error["field"] for error in answer.json()["errors"]] == [field], change
        assert "good long password" not in answer.text


async def test_a_field_that_is_missing_is_named(admin: ApiClient) -> None:
    answer = await admin.post("/api/users", {})
    assert {error["field"] for error in answer.json()["errors"]} == set(MARIA)


REFUSALS: list[tuple[str, str, Any, tuple[int, int, int, int]]] = [
    # method, path, body, status for: nobody, OPERATOR, SUPERVISOR, ADMIN
    ("GET", "/api/auth/me", None, (401, 200, 200, 200)),
    ("POST", "/api/auth/password", {}, (401, 422, 422, 422)),
    ("GET", "/api/users", None, (401, 403, 200, 200)),
    ("GET", "/api/users?limit=0", None, (401, 403, 422, 422)),
    ("GET", "/api/users?limit=201", None, (401, 403, 422, 422)),
    ("GET", "/api/users?cursor=x", None, (401, 403, 422, 422)),
    ("GET", "/api/users?unknown=1", None, (401, 403, 422, 422)),
    ("GET", "/api/users/{user}", None, (401, 403, 200, 200)),
    ("GET", "/api/users/{nobody}", None, (401, 403, 404, 404)),
    ("GET", "/api/users/nonsense", None, (401, 403, 404, 404)),
    ("POST", "/api/users", MARIA, (401, 403, 403, 201)),
    ("PATCH", "/api/users/{user}", {"name": "New"}, (401, 403, 403, 200)),
    ("PATCH", "/api/users/{user}", {"role": "ADMIN"}, (401, 403, 403, 200)),
    ("PATCH", "/api/users/{user}", {}, (401, 403, 403, 200)),
    ("PATCH", "/api/users/{user}", {"name": None}, (401, 403, 403, 422)),
    ("PATCH", "/api/users/{user}", {"presence": "online"}, (401, 403, 403, 422)),
    ("PATCH", "/api/users/{user}", [], (401, 403, 403, 422)),
    ("PATCH", "/api/users/{nobody}", {"name": "New"}, (401, 403, 403, 404)),
    ("POST", "/api/users/{user}/activate", None, (401, 403, 403, 200)),
    ("POST", "/api/users/{user}/deactivate", None, (401, 403, 403, 200)),
    ("POST", "/api/users/{nobody}/deactivate", None, (401, 403, 403, 404)),
    ("DELETE", "/api/users/{user}", None, (401, 403, 403, 204)),
    ("DELETE", "/api/users/{nobody}", None, (401, 403, 403, 404)),
    ("GET", "/api/api-keys", None, (401, 403, 403, 200)),
    ("POST", "/api/api-keys", {"name": "k", "role": "OPERATOR"}, (401, 403, 403, 201)),
    ("POST", "/api/api-keys", {"name": "k", "role": "NONE"}, (401, 403, 403, 422)),
    (
        "POST",
        "/api/api-keys",
        {"name": "k", "role": "OPERATOR", "expiresAt": "2020-01-01T00:00:00Z"},
        (401, 403, 403, 422),
    ),
    (
        "POST",
        "/api/api-keys",
        {"name": "k", "role": "OPERATOR", "expiresAt": "2099-01-01T00:00:00"},
        (401, 403, 403, 422),
    ),
    ("DELETE", "/api/api-keys/{nobody}", None, (401, 403, 403, 404)),
    ("POST", "/api/auth/logout", None, (401, 204, 204, 204)),
]


@pytest.mark.parametrize("position", range(4), ids=["nobody", "OPERATOR", "SUPERVISOR", "ADMIN"])
async def test_the_table_of_refusals(server: RunningServer, position: int) -> None:
    role = ("", "OPERATOR", "SUPERVISOR", "ADMIN")[position]
    async with log_in_as(server, "OPERATOR") as other, log_in_as(server, role or "OPERATOR") as client:
        if not role:
            del client.http.headers["authorization"]
        for method, path, body, statuses in REFUSALS:
            url = path.format(user=other.user["id"], nobody=uuid4())
            answer = await client.http.request(method, url, json=body)
            assert answer.status_code == statuses[position], f"{role or 'nobody'}: {method} {path}: {answer.text}"


NO_LOGINS = [
    (b"{", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"", "application/json", 400),
    (b"null", "application/json", 422),
    (b"{}", "application/json", 422),
    (b'{"email": 1, "password": [], "refreshToken": {}}', "application/json", 422),
    (b'{"email": "a\\u0000@example.com", "password": "x", "more": 1}', "application/json", 422),
    (b"email=a&password=b", "application/x-www-form-urlencoded", 415),
    (b'"' + b"a" * 2**20 + b'"', "application/json", 413),
]


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/refresh"])
async def test_what_is_no_login_is_refused(operator: ApiClient, path: str) -> None:
    for body, content_type, status in NO_LOGINS:
        answer = await operator.http.post(path, content=body, headers={"content-type": content_type})
        assert answer.status_code == status, body[:80]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_list_is_read_page_by_page(server: RunningServer, admin: ApiClient) -> None:
    for number in range(5):
        await admin.post("/api/users", {**MARIA, "email": f"user{number}@example.com"})
    seen, cursor = [], None
    while True:
        page = (await admin.get("/api/users", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [user["email"] for user in page["items"]]
        if page["nextCursor"] is None:
            break
        assert len(page["items"]) == 2
        cursor = page["nextCursor"]
        if len(seen) == 2:
            await admin.post("/api/users", {**MARIA, "email": "meanwhile@example.com"})
    assert seen == [admin.user["email"], *(f"user{n}@example.com" for n in range(5)), "meanwhile@example.com"]


async def test_a_user_is_changed(admin: ApiClient, operator: ApiClient) -> None:
    path = f"/api/users/{operator.user['id']}"
    answer = await admin.patch(path, {"name": "Ana", "email": "Ana@Example.COM"})
    assert (answer.json()["name"], answer.json()["email"]) == ("Ana", "Ana@example.com")
    assert (await operator.get("/api/auth/me")).json() == answer.json()
    taken = await admin.patch(path, {"email": admin.user["email"]})
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")


async def test_an_admin_resets_a_password(admin: ApiClient, operator: ApiClient) -> None:
    path = f"/api/users/{operator.user['id']}"
    weak = await admin.patch(path, {"password": operator.user["email"]})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    assert (await admin.patch(path, {"password": "a new good password"})).status_code == 200
    assert (await operator.get("/api/auth/me")).status_code == 401
    for password, status in ((PASSWORD, 401), ("a new good password", 200)):
        login = await operator.post("/api/auth/login", {"email": operator.user["email"], "password": password})
        assert login.status_code == status


async def test_delete_deactivates(admin: ApiClient, operator: ApiClient) -> None:
    path = f"/api/users/{operator.user['id']}"
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).json()["isActive"] is False
    assert (await admin.delete(path)).status_code == 204


async def test_the_last_active_admin_stays(admin: ApiClient) -> None:
    path = f"/api/users/{admin.user['id']}"
    for answer in (
        await admin.delete(path),
        await admin.post(f"{path}/deactivate"),
        await admin.patch(path, {"role": "OPERATOR"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert (await admin.patch(path, {"role": "ADMIN", "name": "Still here"})).status_code == 200


async def test_an_inactive_admin_does_not_count(admin: ApiClient) -> None:
    other = (await admin.post("/api/users", {**MARIA, "role": "ADMIN"})).json()
    await admin.delete(f"/api/users/{other['id']}")
    assert (await admin.delete(f"/api/users/{admin.user['id']}")).status_code == 409
    await admin.post(f"/api/users/{other['id']}/activate")
    assert (await admin.delete(f"/api/users/{admin.user['id']}")).status_code == 204


async def test_parallel_removals_leave_an_admin(server: RunningServer, machine: httpx.AsyncClient) -> None:
    for round_ in range(6):
        await server.kernel.db.execute("UPDATE users SET is_active = false")
        ids = []
        for number in range(4):
            body = {**MARIA, "role": "ADMIN", "email": f"admin{round_}{number}@example.com"}
            ids.append((await machine.post("/api/users", json=body)).json()["id"])
        answers = await asyncio.gather(
            machine.delete(f"/api/users/{ids[0]}"),
            machine.post(f"/api/users/{ids[1]}/deactivate"),
            machine.patch(f"/api/users/{ids[2]}", json={"role": "OPERATOR"}),
            machine.patch(f"/api/users/{ids[3]}", json={"role": "SUPERVISOR", "password": "a new good password"}),
        )
        assert sorted(answer.status_code // 100 for answer in answers) == [2, 2, 2, 4]
        assert [answer.json()["code"] for answer in answers if answer.status_code == 409] == ["last_admin"]
        remaining = "SELECT count(*) FROM users WHERE role = 'ADMIN' AND is_active"
        assert await server.kernel.db.fetch_value(remaining) == 1


@pytest.mark.parametrize(
    ("stored", "shown"), [(b'{"status": "online"}', "online"), (b'"away"', "away"), (None, "offline")]
)
async def test_presence_is_what_the_hub_wrote(
    server: RunningServer, operator: ApiClient, stored: bytes | None, shown: str
) -> None:
    if stored:
        await server.kernel.redis.hset("elsehu:presence", operator.user["id"], stored)
    assert (await operator.get("/api/auth/me")).json()["presence"] == shown
