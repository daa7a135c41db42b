"""A template at a provider without templates: it arrives as a text, or as a picture with its caption."""

import asyncio

import pytest
from elsehu_evolution.testing import EvolutionStandin

from elsehu.testing.client import ApiClient

from .conftest import Number

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)


@pytest.fixture
async def conversation(admin: ApiClient, standin: EvolutionStandin, number: Number) -> str:
    standin.customer(phone="5511988887777").says("oi")
    async with asyncio.timeout(15):
        while not (items := (await admin.get("/api/conversations")).json()["items"]):
            await asyncio.sleep(0.05)
    return str(items[0]["id"])


async def test_it_arrives_as_what_evolution_can_send(
    admin: ApiClient, standin: EvolutionStandin, conversation: str
) -> None:
    order = {
        "name": "order_ready",
        "language": "pt_BR",
        "category": "UTILITY",
        "body": "Oi {{nome}}, o pedido {{pedido}} está pronto.",
        "footer": "Loja da Ana",
        "buttons": [{"type": "url", "text": "Ver", "url": "https://loja.example/{{1}}"}],
    }
    made = (await admin.post("/api/templates", order)).json()
    sending = {"templateId": made["id"], "variables": {"nome": "Bia", "pedido": "42"}, "buttonVariables": {"0": "42"}}
    body = {"conversationId": conversation, "kind": "template", "template": sending}
    answer = await admin.post("/api/messages/send", body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["status"], answer.json()["templateId"]) == ("sent", made["id"])

    looks = await admin.post("/api/templates", {**order, "name": "looks", "header": {"format": "image"}, "buttons": []})
    picture = (await admin.http.post("/api/media", files={"file": ("a.png", PNG)})).json()["id"]
    sending = {**sending, "templateId": looks.json()["id"], "headerMediaId": picture, "buttonVariables": {}}
    answer = await admin.post("/api/messages/send", {**body, "template": sending})
    assert answer.status_code == 201, answer.text

    customer = standin.customer(phone="5511988887777")
    await standin.eventually(lambda: len(customer.received) == 2)
    text, image = customer.received
    words = "Oi Bia, o pedido 42 está pronto.\n\nLoja da Ana"
    assert text.text == f"{words}\n\nVer: https://loja.example/42"
    assert image.text == words
