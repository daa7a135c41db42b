"""One request id goes from a webhook to sockets, and from a request to the call of the provider and back."""

import asyncio

import httpx
from elsehu_evolution.testing import EvolutionStandin

from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer
from elsehu.testing.sockets import socket_to

from .conftest import Number


def arrival(name: str) -> dict[str, object]:
    return {
        "event": "messages.upsert",
        "instance": "wa",
        "data": {
            "key": {"remoteJid": "5511988887777@s.whatsapp.net", "fromMe": False, "id": name},
            "message": {"conversation": "oi"},
            "messageType": "conversation",
            "messageTimestamp": 1795443300,
        },
    }


async def test_a_webhooks_id_is_in_what_sockets_are_told(
    server: RunningServer, admin: ApiClient, number: Number
) -> None:
    async with socket_to(server, admin.token) as socket:
        await socket.do("inbox:subscribe")
        async with httpx.AsyncClient(headers={**number.headers, "x-request-id": "from-provider-1"}) as provider:
            answer = await provider.post(number.webhook_url, json=arrival("A"))
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, "from-provider-1")
        frame = await socket.next("message:new")
    assert frame["data"]["requestId"] == "from-provider-1"


async def test_a_requests_id_reaches_the_provider_and_stays_with_the_message(
    admin: ApiClient, standin: EvolutionStandin, number: Number
) -> None:
    standin.customer(phone="5511988887777").says("oi")
    async with asyncio.timeout(15):
        while not (items := (await admin.get("/api/conversations")).json()["items"]):
            await asyncio.sleep(0.05)
    body = {"conversationId": items[0]["id"], "text": "hello"}
    answer = await admin.http.post("/api/messages/send", json=body, headers={"x-request-id": "from-operator-1"})
    assert answer.json()["requestId"] == "from-operator-1"
    await standin.eventually(lambda: [one for one in standin.requests if one.path.startswith("/message/sendText")])
    [sent] = [one for one in standin.requests if one.path.startswith("/message/sendText")]
    assert sent.headers["x-request-id"] == "from-operator-1"
    message = (await admin.get(f"/api/messages/conversation/{items[0]['id']}")).json()["items"][0]
    assert message["requestId"] == "from-operator-1"
