"""What an operation answers is in its documentation: statuses, types of fields, methods."""

from typing import Any
from uuid import uuid4

import pytest

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

Documented = dict[str, Any]


@pytest.fixture
async def paths(admin: ApiClient) -> Documented:
    return dict((await admin.get("/openapi.json")).json()["paths"])


@pytest.fixture
async def sandbox(admin: ApiClient) -> str:
    """The id of a sandbox number at which a customer has written."""
    number = {"name": "Sandbox", "phone": "+5511900000000", "provider": "sandbox", "settings": {"script": []}}
    instance: str = (await admin.post("/api/service-instances", number)).json()["id"]
    assert (await admin.post(f"/api/sandbox/{instance}/say", {"text": "hello"})).status_code == 201
    return instance


@pytest.fixture
async def conversation(admin: ApiClient, sandbox: str) -> str:
    return str((await admin.get("/api/conversations")).json()["items"][0]["id"])


async def test_an_operator_is_refused_as_documented(
    server: RunningServer, paths: Documented, admin: ApiClient, conversation: str
) -> None:
    sent = await admin.post("/api/messages/send", {"conversationId": conversation, "text": "hello"})
    message = f"/api/messages/{sent.json()['id']}"
    async with log_in_as(server, "OPERATOR") as operator:
        for path, template, body in (
            ("/api/messages/send", None, {"conversationId": conversation, "text": "mine?"}),
            (f"{message}/retry", "/api/messages/{id}/retry", None),
            (f"{message}/resolve", "/api/messages/{id}/resolve", {"outcome": "sent"}),
        ):
            answer = await operator.post(path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "not_your_conversation")
            assert "403" in paths[template or path]["post"]["responses"], path


async def test_an_api_key_is_refused_as_documented(paths: Documented, admin: ApiClient) -> None:
    key = (await admin.post("/api/api-keys", {"name": "machine", "role": "ADMIN"})).json()["key"]
    bearer = {"authorization": f"Bearer {key}"}
    words = {"oldPassword": "correct horse battery", "newPassword": "another long one"}
    for method, path, body in (("get", "/api/auth/me", None), ("post", "/api/auth/password", words)):
        answer = await admin.http.request(method, path, json=body, headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_user")
        assert "403" in paths[path][method]["responses"], path


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/conversations/{id}/transfer", {"queue": 1}),
        ("/api/conversations/{id}/transfer", {"queue": "yes"}),
        ("/api/conversations/{id}/reopen", {"queue": 0}),
        ("/api/messages/send", {"kind": "location", "location": {"latitude": "1.5", "longitude": 2}}),
    ],
)
async def test_a_field_of_another_type_is_422(
    admin: ApiClient, conversation: str, path: str, body: dict[str, Any]
) -> None:
    if path.endswith("/send"):
        body = {"conversationId": conversation, **body}
    answer = await admin.post(path.replace("{id}", conversation), body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text


async def test_no_body_is_told_which_fields_are_needed(admin: ApiClient, conversation: str) -> None:
    answer = await admin.http.post(f"/api/conversations/{conversation}/close")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "tabulationId", "message": "Field required"}]


async def test_a_wrong_method_is_told_the_right_ones(paths: Documented, admin: ApiClient) -> None:
    for template, methods in paths.items():
        path = "/".join(str(uuid4()) if part.startswith("{") else part for part in template.split("/"))
        answer = await admin.http.request("TRACE", path)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) >= {method.upper() for method in methods}, path


async def test_an_event_without_a_type_does_not_hide_the_phone(admin: ApiClient, sandbox: str) -> None:
    odd = {"events": [{"what": "is this"}, {"type": ["a", "list"]}, {"type": "never heard of"}]}
    assert (await admin.post(f"/api/sandbox/{sandbox}/events", odd)).status_code == 201
    assert (await admin.get(f"/api/sandbox/{sandbox}/phone")).status_code == 200
    assert (await admin.post(f"/api/service-instances/{sandbox}/connect")).status_code == 200
    assert (await admin.post(f"/api/sandbox/{sandbox}/say", {"text": "still there"})).json()["taken"]
