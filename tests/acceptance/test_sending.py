"""An operator's side of sending: a message whose fate is unknown is settled by a person; files fit their kind."""

import asyncio
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin

from elsehu.testing.client import ApiClient

from .conftest import Number

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
TEXT_ROUTE = "POST /message/sendText/*"


@pytest.fixture
async def conversation(admin: ApiClient, standin: EvolutionStandin, number: Number) -> str:
    """A customer has written: the id of the conversation."""
    standin.customer(phone="5511988887777").says("oi")
    async with asyncio.timeout(15):
        while not (items := (await admin.get("/api/conversations")).json()["items"]):
            await asyncio.sleep(0.05)
    return str(items[0]["id"])


async def send(admin: ApiClient, conversation: str, **content: Any) -> httpx.Response:
    return await admin.post("/api/messages/send", {"conversationId": conversation, **content})


@pytest.mark.parametrize(("outcome", "code"), [("sent", None), ("failed", "resolved_as_failed")])
async def test_a_person_settles_an_unconfirmed_message(
    admin: ApiClient, standin: EvolutionStandin, conversation: str, outcome: str, code: str | None
) -> None:
    standin.faults.drop_webhook("send.message", times=None)
    standin.faults.accept_and_close(TEXT_ROUTE)
    message = (await send(admin, conversation, text="did it go?")).json()
    assert message["status"] == "unconfirmed"

    resolve = f"/api/messages/{message['id']}/resolve"
    answer = await admin.post(resolve, {"outcome": outcome})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == outcome
    assert (answer.json()["error"] or {}).get("code") == code
    again = await admin.post(resolve, {"outcome": outcome})
    assert (again.status_code, again.json()["code"]) == (409, "not_unconfirmed")


async def test_what_a_person_called_failed_can_be_sent_again(
    admin: ApiClient, standin: EvolutionStandin, conversation: str
) -> None:
    standin.faults.close(TEXT_ROUTE)
    message = (await send(admin, conversation, text="once more")).json()
    await admin.post(f"/api/messages/{message['id']}/resolve", {"outcome": "failed"})
    assert (await admin.post(f"/api/messages/{message['id']}/retry")).status_code == 200
    customer = standin.customer(phone="5511988887777")
    await standin.eventually(lambda: [received.text for received in customer.received] == ["once more"])


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [("image", PDF, "a.pdf"), ("video", PNG, "a.png"), ("audio", PNG, "a.png"), ("sticker", PDF, "a.pdf")],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_file_must_be_of_its_kind(
    admin: ApiClient, standin: EvolutionStandin, conversation: str, kind: str, content: bytes, name: str
) -> None:
    uploaded = await admin.http.post("/api/media", files={"file": (name, content)})
    answer = await send(admin, conversation, kind=kind, mediaId=uploaded.json()["id"])
    assert (answer.status_code, answer.json()["code"]) == (422, "media_type_unsupported")
    assert answer.json()["errors"][0]["field"] == "mediaId"
    assert (await send(admin, conversation, kind="document", mediaId=uploaded.json()["id"])).status_code == 201


async def test_a_provider_that_is_down_is_told_in_words(
    admin: ApiClient, standin: EvolutionStandin, conversation: str
) -> None:
    standin.stop()
    message = (await send(admin, conversation, text="anybody there?")).json()
    assert message["status"] == "pending"
    assert "refused the connection" in message["error"]["detail"]
    standin.start()


async def test_an_answer_that_is_lost_is_told_in_words(
    admin: ApiClient, standin: EvolutionStandin, conversation: str
) -> None:
    standin.faults.close(TEXT_ROUTE)
    message = (await send(admin, conversation, text="and now?")).json()
    assert "the connection broke" in message["error"]["detail"]
