"""`GET /api/audit`: who did what, for admins, in pages, by every filter."""

from typing import Any

import pytest

from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


async def actions(admin: ApiClient, **params: Any) -> list[str]:
    answer = await admin.get("/api/audit", params=params)
    assert answer.status_code == 200, answer.text
    return [entry["action"] for entry in answer.json()["items"]]


async def test_what_an_admin_did_is_found_again(server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
    user = {"name": "Ana", "email": "ana@example.com", "password": "a long password", "role": "OPERATOR"}
    made = (await admin.post("/api/users", user)).json()
    await admin.post(f"/api/users/{made['id']}/deactivate")
    entry = (await admin.get("/api/audit", params={"action": "user_created"})).json()["items"][0]
    assert entry["actor"]["id"] == (await admin.get("/api/auth/me")).json()["id"]
    assert entry["subject"] == f"user:{made['id']}"
    assert entry["address"] == "127.0.0.1"
    assert "a long password" not in str(entry)
    assert await actions(admin, subject=f"user:{made['id']}") == ["user_deactivated", "user_created"]
    assert await actions(admin, actorId=entry["actor"]["id"], action="user_deactivated") == ["user_deactivated"]
    assert await actions(admin, subject=f"user:{made['id']}", to=entry["at"]) == []
    first = (await admin.get("/api/audit", params={"limit": 1})).json()
    second = (await admin.get("/api/audit", params={"limit": 1, "cursor": first["nextCursor"]})).json()
    assert second["items"][0]["id"] < first["items"][0]["id"]
    assert (await operator.get("/api/audit")).status_code == 403


@pytest.mark.parametrize(
    "params", [{"action": "Not An Action"}, {"subject": "a\0b"}, {"from": "yesterday"}, {"cursor": "x"}, {"actor": "1"}]
)
async def test_what_cannot_be_asked_is_422(admin: ApiClient, params: dict[str, str]) -> None:
    assert (await admin.get("/api/audit", params=params)).status_code == 422
