"""A template's life at Meta: made over the API, followed by webhook, sent with all its parts, changed, deleted."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from elsehu_meta_cloud.testing import MetaStandin, running_standin

from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

PHONE = "5511988887777"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["meta_cloud", "storage_local"]}}


@pytest.fixture
def standin() -> Iterator[MetaStandin]:
    with running_standin(retry_base=0.05) as running:
        yield running


@pytest.fixture
async def number(admin: ApiClient, standin: MetaStandin) -> str:
    options = standin.options
    body = {
        "name": "Loja",
        "phone": f"+{options.phone}",
        "provider": "meta_cloud",
        "credentials": {
            "accessToken": options.token,
            "phoneNumberId": options.number_id,
            "wabaId": options.waba_id,
            "appSecret": options.app_secret,
            "verifyToken": "our-verify-token",
            "appId": options.app_id,
        },
        "settings": {"baseUrl": standin.url, "mediaHosts": [standin.files_url]},
    }
    answer = await admin.post("/api/service-instances", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def conversation(admin: ApiClient, standin: MetaStandin, number: str) -> str:
    standin.customer(PHONE).says("oi")
    async with asyncio.timeout(15):
        while not (items := (await admin.get("/api/conversations")).json()["items"]):
            await asyncio.sleep(0.05)
    return str(items[0]["id"])


async def becomes(admin: ApiClient, template: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while (found := (await admin.get(f"/api/templates/{template}")).json())["status"] != status:
            await asyncio.sleep(0.05)
    return dict(found)


WANTED: dict[str, Any] = {
    "name": "pedido_pronto",
    "language": "pt_BR",
    "category": "UTILITY",
    "header": {"format": "text", "text": "Oi {{nome}}", "example": "Ana"},
    "body": "O pedido {{pedido}} custa {{preco}}.",
    "footer": "Loja da Ana",
    "examples": ["42", "R$ 10"],
    "buttons": [
        {"type": "quick_reply", "text": "Obrigado"},
        {"type": "url", "text": "Ver", "url": "https://loja.example/{{1}}", "example": "https://loja.example/42"},
    ],
}
VALUES = {
    "variables": {"pedido": "42", "preco": "R$ 10"},
    "headerVariables": {"nome": "Bia"},
    "buttonVariables": {"0": "thanks", "1": "42"},
}


async def test_its_whole_life(
    server: RunningServer, admin: ApiClient, standin: MetaStandin, number: str, conversation: str
) -> None:
    answer = await admin.post("/api/templates", {**WANTED, "serviceInstanceId": number})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["status"], made["named"]) == ("PENDING", True)
    path = f"/api/templates/{made['id']}"
    sending = {"conversationId": conversation, "kind": "template", "template": {"templateId": made["id"], **VALUES}}
    refused = await admin.post("/api/messages/send", sending)
    assert (refused.status_code, refused.json()["code"]) == (409, "template_not_approved")
    assert (await admin.patch(path, {"footer": "x"})).json()["code"] == "template_not_editable"

    external_id = await server.kernel.db.fetch_value("SELECT external_id FROM message_templates")
    standin.call("change_template", template_id=external_id, status="APPROVED")
    await becomes(admin, made["id"], "APPROVED")
    sent = await admin.post("/api/messages/send", sending)
    assert (sent.status_code, sent.json()["status"]) == (201, "sent"), sent.text
    [arrived] = [one for one in standin.customer(PHONE).received if one.type == "template"]
    assert arrived.content == {
        "name": "pedido_pronto",
        "language": {"code": "pt_BR"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "parameter_name": "nome", "text": "Bia"}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "pedido", "text": "42"},
                    {"type": "text", "parameter_name": "preco", "text": "R$ 10"},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "thanks"}],
            },
            {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "42"}]},
        ],
    }

    synced = await admin.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert synced.json() == {"created": 0, "updated": 1, "removed": 0, "total": 1}, "its quality is known now"
    changed = await admin.patch(path, {"footer": None, "body": "O pedido {{pedido}} por {{preco}}."})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["id"], changed.json()["footer"], changed.json()["status"]) == (made["id"], None, "PENDING")
    assert (await admin.delete(path)).status_code == 204
    synced = await admin.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert synced.json() == {"created": 0, "updated": 0, "removed": 0, "total": 0}


async def test_a_send_that_meta_refuses_pauses_it(
    admin: ApiClient, standin: MetaStandin, number: str, conversation: str
) -> None:
    """Meta's webhook that it is paused is still on its way."""
    body = {"type": "BODY", "text": "Oi {{1}}"}
    standin.call("add_template", name="promo", components=[body], category="MARKETING")
    await admin.post(f"/api/templates/sync?serviceInstanceId={number}")
    [promo] = (await admin.get("/api/templates")).json()["items"]
    standin.refuse(132015)
    sending = {"templateId": promo["id"], "variables": {"1": "Bia"}}
    sent = await admin.post(
        "/api/messages/send", {"conversationId": conversation, "kind": "template", "template": sending}
    )
    assert (sent.status_code, sent.json()["status"]) == (201, "failed"), sent.text
    assert (await becomes(admin, promo["id"], "PAUSED"))["reason"]
