"""Messages of every kind, from the request to the provider: what is queued is what the provider plugin gets."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from elsehu.contracts.plugin import NoConfig, ProviderSpec
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)


@pytest.fixture
async def conversation(server: RunningServer, admin: ApiClient) -> UUID:
    return await customer_writes(server, await add_number(admin), "5511988887777")


async def say(admin: ApiClient, conversation: UUID, **content: Any) -> httpx.Response:
    return await admin.post("/api/messages/send", {"conversationId": str(conversation), **content})


async def upload(admin: ApiClient, name: str, content: bytes) -> str:
    answer = await admin.http.post("/api/media", files={"file": (name, content)})
    return str(answer.json()["id"])


CONTENTS: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    (
        "location",
        {"latitude": 1.5, "longitude": -2.0, "name": "Shop"},
        {"latitude": 1.5, "longitude": -2.0, "name": "Shop"},
        None,
    ),
    (
        "interactive",
        {"type": "buttons", "body": "Shall we?", "buttons": [{"id": "y", "title": "Yes"}]},
        {"type": "buttons", "body": "Shall we?", "buttons": [{"id": "y", "title": "Yes"}]},
        "Shall we?",
    ),
    (
        "interactive",
        {"type": "flow", "body": "Fill in", "label": "Form", "flowId": "7", "data": {"a": None}},
        {
            "type": "flow",
            "body": "Fill in",
            "label": "Form",
            "flowId": "7",
            "action": "navigate",
            "data": {"a": None},
            "draft": False,
        },
        "Fill in",
    ),
]


async def test_content_is_kept_as_the_provider_gets_it(admin: ApiClient, conversation: UUID) -> None:
    for kind, content, payload, text in CONTENTS:
        answer = await say(admin, conversation, kind=kind, **{kind: content})
        assert answer.status_code == 201, answer.text
        assert (answer.json()["payload"], answer.json()["text"]) == (payload, text)


async def test_cards_keep_what_was_given(admin: ApiClient, conversation: UUID) -> None:
    cards = [
        {"name": "Ana", "phones": []},
        {"name": "Bia", "phones": [{"phone": "+5511"}], "emails": [{"email": "b@c"}]},
    ]
    answer = await say(admin, conversation, kind="contacts", contacts=cards)
    assert answer.json()["payload"] == {"contacts": cards}


async def test_a_header_shows_a_file(server: RunningServer, admin: ApiClient, conversation: UUID) -> None:
    media_id = await upload(admin, "a.png", PNG)
    header = {"format": "image", "mediaId": media_id}
    message = {"type": "link", "body": "See", "label": "Open", "url": "https://shop.example/", "header": header}
    answer = await say(admin, conversation, kind="interactive", interactive=message)
    assert answer.status_code == 201, answer.text
    assert answer.json()["media"]["id"] == media_id
    assert answer.json()["payload"] == message


async def test_a_header_that_does_not_fit_is_refused(admin: ApiClient, conversation: UUID) -> None:
    link = {"type": "link", "body": "See", "label": "Open", "url": "https://shop.example/"}
    header = {"format": "video", "mediaId": await upload(admin, "a.png", PNG)}
    answer = await say(admin, conversation, kind="interactive", interactive={**link, "header": header})
    assert (answer.status_code, answer.json()["code"]) == (422, "media_type_unsupported")
    assert answer.json()["errors"][0]["field"] == "interactive.header.mediaId"

    header = {"format": "image", "mediaId": str(conversation)}
    answer = await say(admin, conversation, kind="interactive", interactive={**link, "header": header})
    assert (answer.status_code, answer.json()["code"]) == (404, "media_not_found")


async def test_interactive_types_are_abilities_and_documented(admin: ApiClient, conversation: UUID) -> None:
    numbers = (await admin.get("/api/service-instances")).json()["items"]
    assert {"send_interactive", "interactive_buttons", "interactive_flow"} <= set(numbers[0]["abilities"])
    schemas = (await admin.get("/openapi.json")).json()["components"]["schemas"]
    interactive = schemas["SendMessage"]["properties"]["interactive"]
    assert "oneOf" in str(interactive)
    assert {"InteractiveButtons", "InteractiveList", "InteractiveContactRequest"} <= set(schemas)


async def test_outside_the_window_the_way_out_is_told(
    server: RunningServer, admin: ApiClient, conversation: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel: Kernel = server.kernel
    plugin = kernel.plugins.provider("sandbox")
    assert plugin is not None and plugin.info.provider is not None
    kinds = plugin.info.provider.kinds
    strict = ProviderSpec("sandbox", NoConfig, NoConfig, kinds, window_hours=24)
    monkeypatch.setattr(type(kernel.plugins), "spec", lambda *_: strict)
    await kernel.db.execute("UPDATE conversations SET window_expires_at = now() - interval '1 second'")
    answer = await say(admin, conversation, text="hello?")
    assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")
    assert "kind `template`" in answer.json()["detail"]
    assert "GET /api/templates" in answer.json()["detail"]
    await kernel.db.execute("UPDATE conversations SET window_expires_at = now() + interval '1 minute'")
    assert (await say(admin, conversation, text="hello")).status_code == 201
