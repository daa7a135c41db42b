"""Our copy of an account's templates: what is new, changed and gone there is so here, and ids stay."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.errors import Retryable
from elsehu.contracts.template import TemplateButton, TemplateHeader, TemplateStatus
from elsehu.contracts.user import Caller, Role
from elsehu.events import Event
from elsehu.instances.directory import Directory
from elsehu.messaging.templates import syncing
from elsehu.messaging.templates.jobs import sync_all, sync_due
from elsehu.messaging.templates.realtime import render_templates
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import BASIC, add_number, listed, sync, told
from .provider import Account, Post


async def test_what_is_there_is_here(supervisor: ApiClient, account: Account, number: str) -> None:
    account.add(
        "welcome",
        "Hi {{name}}",
        named=True,
        category="MARKETING",
        header=TemplateHeader("image", example="handle"),
        footer="Bye",
        buttons=(TemplateButton("url", "See", "https://a.example/{{1}}"), TemplateButton("flow", "Open")),
        examples=("Ana",),
        quality="GREEN",
        status=TemplateStatus.PAUSED,
        reason="Too many complaints",
    )
    account.add("carousel", supported=False)
    for one in ("a", "b", "c"):
        account.add(one)
    assert await sync(supervisor, number) == {"created": 5, "updated": 0, "removed": 0, "total": 5}
    found = {one["name"]: one for one in await listed(supervisor)}
    shown = found["welcome"]
    expected: dict[str, Any] = {
        "category": "MARKETING",
        "status": "PAUSED",
        "reason": "Too many complaints",
        "quality": "GREEN",
        "header": {"format": "image", "text": None, "example": "handle"},
        "body": "Hi {{name}}",
        "footer": "Bye",
        "named": True,
        "examples": ["Ana"],
        "serviceInstanceId": number,
    }
    assert {name: shown[name] for name in expected} == expected
    assert [(one["field"], one["name"], one["required"]) for one in shown["variables"]] == [
        ("variables", "name", True), ("buttonVariables", "0", True), ("buttonVariables", "1", False)
    ]  # fmt: skip
    assert (found["carousel"]["supported"], found["a"]["supported"]) == (False, True)
    assert {one["name"] for one in await listed(supervisor, sendableFrom=number)} == {"a", "b", "c"}


async def test_a_sync_again_counts_what_changed(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str
) -> None:
    for one in ("same", "changed", "gone"):
        account.add(one)
    await sync(supervisor, number)
    before = {one["name"]: one for one in await listed(supervisor)}
    assert await sync(supervisor, number) == {"created": 0, "updated": 0, "removed": 0, "total": 3}
    account.templates["id-2"] = replace(account.templates["id-2"], body="other", status=TemplateStatus.DISABLED)
    del account.templates["id-3"]
    account.add("new", external_id="id-9")
    assert await sync(supervisor, number) == {"created": 1, "updated": 1, "removed": 1, "total": 3}
    after = {one["name"]: one for one in await listed(supervisor)}
    assert after["same"] == before["same"]
    assert (after["changed"]["id"], after["changed"]["status"]) == (before["changed"]["id"], "DISABLED")
    assert set(after) == {"same", "changed", "new"}
    assert [await told(server, before[name]["id"]) for name in ("same", "changed", "gone")] == [1, 2, 2]


async def test_what_comes_back_has_its_id_again(supervisor: ApiClient, account: Account, number: str) -> None:
    gone = account.add("seasonal")
    await sync(supervisor, number)
    [before] = await listed(supervisor)
    account.templates.clear()
    await sync(supervisor, number)
    assert await listed(supervisor) == []
    account.templates["id-1"] = gone
    assert await sync(supervisor, number) == {"created": 1, "updated": 0, "removed": 0, "total": 1}
    assert [one["id"] for one in await listed(supervisor)] == [before["id"]]
    account.templates = {"id-2": replace(gone, external_id="id-2", body="made anew")}
    await sync(supervisor, number)
    assert [(one["id"], one["body"]) for one in await listed(supervisor)] == [(before["id"], "made anew")]


async def test_a_listing_that_breaks_off_changes_nothing(supervisor: ApiClient, account: Account, number: str) -> None:
    for one in ("a", "b", "c", "d"):
        account.add(one)
    await sync(supervisor, number)
    before = await listed(supervisor)
    account.templates["id-1"] = replace(account.templates["id-1"], body="other")
    del account.templates["id-2"]
    account.breaks_off_after, account.failure = 2, Retryable("throttled", "Too many requests.")
    answer = await supervisor.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert (answer.status_code, answer.json()["code"]) == (502, "throttled")
    assert await listed(supervisor) == before


async def test_what_is_made_while_a_sync_lists_stays(
    supervisor: ApiClient, account: Account, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not on the page that had been listed by then; and what was deleted meanwhile is not brought back."""
    account.add("doomed")
    await sync(supervisor, number)
    [doomed] = await listed(supervisor)
    listing = syncing._listed

    async def slow(*arguments: Any) -> Any:
        found = await listing(*arguments)
        answer = await supervisor.post("/api/templates", {**BASIC, "serviceInstanceId": number})
        assert answer.status_code == 201
        assert (await supervisor.delete(f"/api/templates/{doomed['id']}")).status_code == 204
        return found

    monkeypatch.setattr(syncing, "_listed", slow)
    assert await sync(supervisor, number) == {"created": 0, "updated": 0, "removed": 0, "total": 1}
    assert [one["name"] for one in await listed(supervisor)] == [BASIC["name"]]


async def test_each_number_has_its_own(admin: ApiClient, account: Account, number: str) -> None:
    other = await add_number(admin, "post")
    account.add("shared")
    for one in (number, other):
        assert (await sync(admin, one))["created"] == 1
    account.templates.clear()
    assert (await sync(admin, number))["removed"] == 1
    assert [one["serviceInstanceId"] for one in await listed(admin)] == [other]


async def test_what_cannot_be_synced(supervisor: ApiClient, account: Account, number: str, plain_number: str) -> None:
    answer = await supervisor.post(f"/api/templates/sync?serviceInstanceId={plain_number}")
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_by_provider")
    assert (await supervisor.post("/api/templates/sync")).status_code == 422
    assert (await supervisor.post(f"/api/templates/sync?serviceInstanceId={UUID(int=1)}")).status_code == 404
    account.add("x" * 600)
    account.add("fine", language="l" * 21)
    assert await sync(supervisor, number) == {"created": 0, "updated": 0, "removed": 0, "total": 0}


async def test_an_endless_listing_ends(
    supervisor: ApiClient, account: Account, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "MOST", 3)
    for one in range(4):
        account.add(f"t{one}")
    answer = await supervisor.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert (answer.status_code, answer.json()["code"]) == (502, "templates_without_end")


async def test_the_clock_syncs_every_connected_number(
    server: RunningServer, admin: ApiClient, post: Post, account: Account, number: str
) -> None:
    sick = await add_number(admin, "post")
    await server.kernel.db.execute("UPDATE service_instances SET status = 'blocked' WHERE id = $1", UUID(sick))
    server.kernel.part(Directory).drop()
    account.add("hello")
    await server.kernel.db.execute("UPDATE service_instances SET created_at = now() - interval '2 hours'")
    await sync_due(server.kernel, {})
    assert await listed(admin) == []
    await sync_all(server.kernel, {})
    assert [one["serviceInstanceId"] for one in await listed(admin)] == [number]
    account.breaks_off_after, account.failure = 0, Retryable("throttled", "Too many requests.")
    await sync_all(server.kernel, {})
    assert len(await listed(admin)) == 1


async def test_a_new_number_is_synced_soon(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str
) -> None:
    account.add("hello")
    await sync_due(server.kernel, {})
    assert [one["name"] for one in await listed(supervisor)] == ["hello"]
    account.add("later")
    await sync_due(server.kernel, {})
    assert len(await listed(supervisor)) == 1


async def test_everybody_is_told(server: RunningServer, supervisor: ApiClient, account: Account, number: str) -> None:
    account.add("hello")
    await sync(supervisor, number)
    [made] = await listed(supervisor)
    await supervisor.delete(f"/api/templates/{made['id']}")
    sql = "SELECT seq, type, subject_id, conversation_id, NULL AS data, at FROM events WHERE type = 'template:updated'"
    events = [Event(**dict(row)) for row in await server.kernel.db.fetch(sql + " ORDER BY seq")]
    rendered = await render_templates(server.kernel, events)
    last = rendered[events[-1].seq]
    assert last.data == {**made, "updatedAt": last.data["updatedAt"], "deleted": True}
    assert last.audience.includes(Caller(Role.OPERATOR, UUID(int=1), "anybody"))
    assert last.labels == {"serviceInstanceId": number}
