"""A provider's own templates: it decides, and we never show what it did not say."""

import asyncio
from dataclasses import replace
from typing import Any

from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, ProviderError, Rejected, Retryable
from elsehu.contracts.template import ProviderTemplate, TemplateButton, TemplateStatus
from elsehu.testing.client import ApiClient

from .conftest import BASIC, Make, listed, sync
from .provider import Account

WITH_EXAMPLES = {
    "header": {"format": "text", "text": "Hi {{1}}", "example": "Ana"},
    "body": "Order {{1}}",
    "examples": ["42"],
    "buttons": [{"type": "url", "text": "See", "url": "https://a.example/{{1}}", "example": "42"}],
}


async def test_what_the_provider_answers_is_kept(make: Make, account: Account, number: str) -> None:
    account.decide = lambda it: replace(it, status=TemplateStatus.REJECTED, category="MARKETING", reason="PROMOTIONAL")
    made = await make(serviceInstanceId=number)
    assert (made["status"], made["category"], made["reason"]) == ("REJECTED", "MARKETING", "PROMOTIONAL")
    assert made["serviceInstanceId"] == number
    assert account.saved[0].status is TemplateStatus.PENDING


FAILURES: list[tuple[ProviderError, int, str]] = [
    (Rejected("bad_template", "No adverts.", "2388"), 422, "refused_by_provider"),
    (Retryable("throttled", "Later.", "4"), 502, "throttled"),
    (OutcomeUnknown("answer_lost", "The connection broke."), 502, "answer_lost"),
    (InstanceSick("token_expired", "Log in.", "blocked"), 502, "token_expired"),
]


async def test_what_the_provider_does_not_take_is_not_there(
    make: Make, supervisor: ApiClient, account: Account, number: str
) -> None:
    there = await make(name="there", serviceInstanceId=number)
    path = f"/api/templates/{there['id']}"
    for failure, status, code in FAILURES:
        account.failure = failure
        for answer in (
            await supervisor.post("/api/templates", {**BASIC, "serviceInstanceId": number}),
            await supervisor.patch(path, {"body": "changed"}),
            await supervisor.delete(path),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
            assert failure.detail in answer.json()["detail"]
            assert answer.json().get("providerCode") == failure.provider_code
    assert await listed(supervisor) == [there]


async def test_a_refused_request_can_be_repeated_with_its_key(
    supervisor: ApiClient, account: Account, number: str
) -> None:
    account.failure = Retryable("throttled", "Later.")
    send: dict[str, Any] = {"json": {**BASIC, "serviceInstanceId": number}, "headers": {"Idempotency-Key": "k"}}
    assert (await supervisor.post("/api/templates", **send)).status_code == 502
    account.failure = None
    assert (await supervisor.post("/api/templates", **send)).status_code == 201
    assert (await supervisor.post("/api/templates", **send)).status_code == 201
    assert len(account.saved) == 2


async def test_each_variable_needs_an_example(supervisor: ApiClient, account: Account, number: str) -> None:
    bare = {
        "header": {"format": "text", "text": "Hi {{1}}"},
        "body": "Order {{1}}",
        "buttons": [
            {"type": "url", "text": "See", "url": "https://a.example/{{1}}"},
            {"type": "copy_code", "text": "Copy"},
        ],
    }
    answer = await supervisor.post("/api/templates", {**BASIC, **bare, "serviceInstanceId": number})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [
        "examples", "header.example", "buttons.0.example", "buttons.1.example"
    ]  # fmt: skip
    assert account.saved == []
    answer = await supervisor.post("/api/templates", {**BASIC, **WITH_EXAMPLES, "serviceInstanceId": number})
    assert answer.status_code == 201, answer.text


async def test_it_is_changed_where_the_provider_lets_us(supervisor: ApiClient, account: Account, number: str) -> None:
    editable = {"APPROVED": True, "REJECTED": True, "PAUSED": True, "PENDING": False, "DISABLED": False}
    for status in editable:
        account.add(status.lower(), status=TemplateStatus(status))
    await sync(supervisor, number)
    for there in await listed(supervisor):
        answer = await supervisor.patch(f"/api/templates/{there['id']}", {"body": "changed"})
        if editable[there["status"]]:
            assert (answer.status_code, answer.json()["body"]) == (200, "changed"), answer.text
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "template_not_editable"), answer.text
    saved = {(one.external_id, one.body) for one in account.saved}
    assert saved == {("id-1", "changed"), ("id-2", "changed"), ("id-3", "changed")}


async def test_what_would_not_change_is_not_shown_to_the_provider(
    make: Make, supervisor: ApiClient, account: Account, number: str
) -> None:
    made = await make(serviceInstanceId=number)
    answer = await supervisor.patch(f"/api/templates/{made['id']}", {"body": made["body"], "footer": None})
    assert (answer.status_code, answer.json()) == (200, made)
    assert len(account.saved) == 1


async def test_what_we_cannot_write_is_not_changed(supervisor: ApiClient, account: Account, number: str) -> None:
    account.add("carousel", supported=False)
    account.add("with_flow", buttons=(TemplateButton("flow", "Open"),))
    await sync(supervisor, number)
    for there in await listed(supervisor):
        answer = await supervisor.patch(f"/api/templates/{there['id']}", {"body": "changed"})
        assert (answer.status_code, answer.json()["code"]) == (409, "template_not_editable")
    assert account.saved == []


async def test_it_is_deleted_at_the_provider(make: Make, supervisor: ApiClient, account: Account, number: str) -> None:
    made = await make(serviceInstanceId=number)
    assert (await supervisor.delete(f"/api/templates/{made['id']}")).status_code == 204
    assert account.templates == {}
    assert await listed(supervisor) == []


async def test_of_many_at_once_the_provider_sees_one(supervisor: ApiClient, account: Account, number: str) -> None:
    body = {**BASIC, "serviceInstanceId": number}
    answers = await asyncio.gather(*(supervisor.post("/api/templates", body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(account.saved) == 1


async def test_two_changes_at_once_leave_what_the_provider_has(
    make: Make, supervisor: ApiClient, account: Account, number: str
) -> None:
    made = await make(serviceInstanceId=number)
    path = f"/api/templates/{made['id']}"
    answers = await asyncio.gather(*(supervisor.patch(path, {"body": f"text {one}"}) for one in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    [kept] = account.templates.values()
    assert (await supervisor.get(path)).json()["body"] == kept.body == account.saved[-1].body


async def test_an_answer_to_another_name_is_not_believed(make: Make, account: Account, number: str) -> None:
    def renamed(template: ProviderTemplate) -> ProviderTemplate:
        return replace(template, name="x" * 600, language="tlh")

    account.decide = renamed
    assert (await make(serviceInstanceId=number))["name"] == BASIC["name"]
