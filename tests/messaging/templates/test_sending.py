"""Sending templates: checked before the wire, outside the window too, and as text where there are none."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from elsehu.contracts.message import Kind
from elsehu.contracts.template import TemplateHeader, TemplateStatus
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import Make, Template, add_number, listed, sync
from .provider import Account, Pigeon, Post

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
BIG = PNG + bytes(100)
ORDER = {"body": "Order {{1}} of {{2}}", "examples": ["42", "Ana"]}


@pytest.fixture
async def conversation(server: RunningServer, number: str) -> UUID:
    """A conversation at the provider with templates."""
    return await customer_writes(server, UUID(number), "5511988887777")


@pytest.fixture
async def plain_conversation(server: RunningServer, plain_number: str) -> UUID:
    """A conversation at the provider without."""
    return await customer_writes(server, UUID(plain_number), "5511988887777")


async def send(client: ApiClient, conversation: UUID, template: str, **values: Any) -> httpx.Response:
    body = {"conversationId": str(conversation), "kind": "template", "template": {"templateId": template, **values}}
    return await client.post("/api/messages/send", body)


async def upload(client: ApiClient, content: bytes, name: str = "a.png") -> str:
    answer = await client.http.post("/api/media", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refused(answer: httpx.Response, status: int, code: str, *fields: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [f"template.{field}" for field in fields]


async def test_it_reaches_the_provider_and_reads_as_sent(
    supervisor: ApiClient, make: Make, post: Post, number: str, conversation: UUID
) -> None:
    made = await make(serviceInstanceId=number, **ORDER, footer="Bye")
    answer = await send(supervisor, conversation, made["id"], variables={"1": "42", "2": "Ana"})
    assert answer.status_code == 201, answer.text
    message = answer.json()
    assert (message["kind"], message["status"], message["templateId"]) == ("template", "sent", made["id"])
    assert message["text"] == "Order 42 of Ana\n\nBye"
    [sent] = post.sent
    assert (sent.kind, sent.text, sent.payload) == (Kind.TEMPLATE, message["text"], message["payload"])
    assert sent.payload == {
        "template": {"id": made["id"], "name": made["name"], "language": "pt_BR"},
        "header": None,
        "body": [{"name": None, "text": "42"}, {"name": None, "text": "Ana"}],
        "buttons": [],
    }
    [shown] = (await supervisor.get("/api/conversations")).json()["items"]
    assert shown["lastMessage"]["preview"] == message["text"]


async def test_outside_the_window_only_a_template_goes(
    server: RunningServer, supervisor: ApiClient, make: Make, post: Post, number: str
) -> None:
    yesterday = server.kernel.now() - timedelta(hours=25)
    conversation = await customer_writes(server, UUID(number), "5511988887777", at=yesterday)
    text = await supervisor.post("/api/messages/send", {"conversationId": str(conversation), "text": "hello?"})
    assert (text.status_code, text.json()["code"]) == (409, "window_closed")
    assert "template" in text.json()["detail"]
    own = await make(name="our_own")
    answer = await send(supervisor, conversation, own["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")
    theirs = await make(serviceInstanceId=number)
    assert (await send(supervisor, conversation, theirs["id"])).status_code == 201
    assert [sent.kind for sent in post.sent] == [Kind.TEMPLATE]


async def test_what_does_not_fit_never_leaves(
    supervisor: ApiClient, make: Make, post: Post, number: str, conversation: UUID
) -> None:
    made = await make(serviceInstanceId=number, **ORDER)
    values = "invalid_template_variables"
    refused(await send(supervisor, conversation, made["id"]), 422, values, "variables.1", "variables.2")
    bad = {"1": "a\nb", "2": "ok", "3": "too many"}
    answer = await send(supervisor, conversation, made["id"], variables=bad, headerMediaId=str(uuid4()))
    refused(answer, 422, values, "variables.3", "variables.1", "headerMediaId")
    answer = await send(supervisor, conversation, made["id"], variables={"1": "x" * 1020, "2": "Ana"})
    refused(answer, 422, values, "variables")
    assert (await send(supervisor, conversation, made["id"], variables={"1": 7})).status_code == 422
    assert (await send(supervisor, conversation, made["id"], colour="red")).status_code == 422
    refused(await send(supervisor, conversation, str(uuid4())), 404, "template_not_found")
    assert post.sent == []


async def test_only_an_approved_one_of_this_number_leaves(
    admin: ApiClient, post: Post, account: Account, number: str, conversation: UUID
) -> None:
    account.add("paused", status=TemplateStatus.PAUSED, reason="Too many complaints")
    account.add("carousel", supported=False)
    await sync(admin, number)
    found = {one["name"]: one["id"] for one in await listed(admin)}
    answer = await send(admin, conversation, found["paused"])
    refused(answer, 409, "template_not_approved")
    assert (answer.json()["templateStatus"], answer.json()["reason"]) == ("PAUSED", "Too many complaints")
    refused(await send(admin, conversation, found["carousel"]), 422, "unsupported_by_provider", "templateId")

    other = await add_number(admin, "post")
    account.templates.clear()
    account.add("others")
    await sync(admin, other)
    [theirs] = await listed(admin, serviceInstanceId=other)
    refused(await send(admin, conversation, theirs["id"]), 422, "template_of_another_number", "templateId")
    assert post.sent == []


async def test_a_header_shows_a_file_of_its_kind(
    admin: ApiClient, post: Post, account: Account, number: str, conversation: UUID
) -> None:
    account.add("picture", header=TemplateHeader("image"))
    await sync(admin, number)
    [picture] = await listed(admin)
    refused(await send(admin, conversation, picture["id"]), 422, "invalid_template_variables", "headerMediaId")
    for content, name, code in ((PDF, "a.pdf", "media_type_unsupported"), (BIG, "a.png", "media_too_large")):
        media = await upload(admin, content, name)
        refused(await send(admin, conversation, picture["id"], headerMediaId=media), 422, code, "headerMediaId")
    answer = await send(admin, conversation, picture["id"], headerMediaId=await upload(admin, PNG))
    assert answer.status_code == 201, answer.text
    assert answer.json()["media"]["mimeType"] == "image/png"
    [sent] = post.sent
    assert sent.media is not None
    assert (sent.kind, sent.payload["header"], await sent.media.read()) == (Kind.TEMPLATE, {"format": "image"}, PNG)


async def test_our_own_goes_as_text(
    admin: ApiClient, make: Make, pigeon: Pigeon, plain_conversation: UUID, plain_number: str
) -> None:
    buttons = [
        {"type": "quick_reply", "text": "Thanks"},
        {"type": "url", "text": "See", "url": "https://a.example/{{1}}"},
    ]
    for number in (None, plain_number):
        made = await make(**ORDER, buttons=buttons, serviceInstanceId=number)
        values = {"variables": {"1": "42", "2": "Ana"}, "buttonVariables": {"1": "42"}}
        answer = await send(admin, plain_conversation, made["id"], **values)
        assert answer.status_code == 201, answer.text
        text = "Order 42 of Ana\n\n• Thanks\nSee: https://a.example/42"
        message = answer.json()
        assert (message["kind"], message["text"], message["templateId"]) == ("text", text, made["id"])
        assert (pigeon.sent[-1].kind, pigeon.sent[-1].text, pigeon.sent[-1].payload) == (Kind.TEXT, text, {})
        too_long = await send(
            admin, plain_conversation, made["id"], **{**values, "variables": {"1": "x" * 200, "2": "y"}}
        )
        refused(too_long, 422, "invalid_template_variables", "variables")
    assert len(pigeon.sent) == 2


async def test_our_own_with_a_picture_goes_as_its_caption(
    admin: ApiClient, make: Make, pigeon: Pigeon, plain_conversation: UUID
) -> None:
    made = await make(header={"format": "image"}, body="Look, {{1}}")
    media = await upload(admin, PNG)
    sending = {"variables": {"1": "Ana"}, "headerMediaId": media}
    answer = await send(admin, plain_conversation, made["id"], **sending)
    assert answer.status_code == 201, answer.text
    [sent] = pigeon.sent
    assert sent.media is not None
    assert (sent.kind, sent.text, sent.media.mime_type) == (Kind.IMAGE, "Look, Ana", "image/png")
    answer = await send(admin, plain_conversation, made["id"], **{**sending, "variables": {"1": "x" * 50}})
    refused(answer, 422, "invalid_template_variables", "variables")
    film = await make(name="film", header={"format": "video"})
    refused(await send(admin, plain_conversation, film["id"], headerMediaId=media), 422, "unsupported_by_provider")


async def test_our_own_goes_as_text_where_there_are_templates_too(
    admin: ApiClient, make: Make, post: Post, conversation: UUID
) -> None:
    assert (await send(admin, conversation, (await make())["id"])).status_code == 201
    assert [sent.kind for sent in post.sent] == [Kind.TEXT]


async def test_the_same_client_id_sends_once(
    admin: ApiClient, make: Make, post: Post, number: str, conversation: UUID
) -> None:
    made: Template = await make(serviceInstanceId=number)
    body = {
        "conversationId": str(conversation),
        "kind": "template",
        "template": {"templateId": made["id"]},
        "clientId": "c1",
    }
    first = (await admin.post("/api/messages/send", body)).json()
    await admin.delete(f"/api/templates/{made['id']}")
    assert (await admin.post("/api/messages/send", body)).json()["id"] == first["id"]
    assert len(post.sent) == 1


async def test_a_preview_says_what_is_missing(make: Make, operator: ApiClient) -> None:
    made = await make(**ORDER, header={"format": "text", "text": "Hi {{1}}"})
    path = f"/api/templates/{made['id']}/preview"
    answer = await operator.post(path, {"variables": {"1": "42", "7": "x"}})
    assert answer.json() == {
        "header": "Hi {{1}}",
        "body": "Order 42 of {{2}}",
        "footer": None,
        "buttons": [],
        "text": "Hi {{1}}\n\nOrder 42 of {{2}}",
        "missing": ["headerVariables.1", "variables.2"],
        "extra": ["variables.7"],
    }
    assert (await operator.http.post(path)).json()["missing"] == ["headerVariables.1", "variables.1", "variables.2"]
