"""A number on an Evolution server, in a whole Elsehu: connected, written to, answered, caught up with."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import orjson
import pytest
from elsehu_evolution.testing import Customer, EvolutionStandin, running_standin, samples

from elsehu.plugin import MessageArrived, MessageEdited
from elsehu.testing.client import ApiClient

from .conftest import KEY, NOW, OWNER, body_of, names
from .test_normalize import events

Answer = TypeVar("Answer")
CREDENTIALS = {"apiKey": KEY, "instanceName": "wa"}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["evolution", "storage_local"]},
        "messaging": {"backoff_first": 0.1, "send_wait": 1.0},
    }


async def until(look: Callable[[], Awaitable[Answer | None]], seconds: float = 20.0) -> Answer:
    """Look again and again until there is something to see."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.02)
    return seen


class Desk:
    """One Evolution number of a running server, its API, and the stand-in behind it."""

    def __init__(self, api: ApiClient, standin: EvolutionStandin, instance: dict[str, Any]) -> None:
        self.api = api
        self.standin = standin
        self.instance = instance
        self.maria = standin.customer(phone="5511988887777", lid="123456789012345", instance="wa")

    async def get(self, path: str) -> Any:
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self) -> dict[str, Any]:
        return dict(await self.get(f"/api/service-instances/{self.instance['id']}"))

    async def becomes(self, status: str) -> None:
        async def look() -> bool:
            return bool((await self.state())["status"] == status)

        await until(look)

    async def link(self) -> None:
        """Show the code, scan it, and wait until the number is connected."""
        await self.becomes("needs_pairing")
        code = await self.get(f"/api/service-instances/{self.instance['id']}/qrcode")
        assert code["base64"].startswith("data:image/png;base64,")
        assert code["pairingCode"] == "ABCD1234"
        await asyncio.to_thread(self.standin.scan, "wa", OWNER)
        await self.becomes("connected")

    async def conversations(self) -> list[dict[str, Any]]:
        return list((await self.get("/api/conversations"))["items"])

    async def messages(self) -> list[dict[str, Any]]:
        """Return the messages of the one conversation, oldest first."""
        (conversation,) = await self.conversations()
        return list(reversed((await self.get(f"/api/messages/conversation/{conversation['id']}"))["items"]))

    async def shows(self, *texts: str) -> list[dict[str, Any]]:
        """Wait until the one conversation has exactly these texts."""

        async def look() -> list[dict[str, Any]] | None:
            if len(await self.conversations()) != 1:
                return None
            found = await self.messages()
            return found if [one["text"] for one in found] == list(texts) else None

        return await until(look)

    async def send(self, text: str, **more: Any) -> dict[str, Any]:
        (conversation,) = await self.conversations()
        answer = await self.api.post("/api/messages/send", {"conversationId": conversation["id"], "text": text, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def reaches(self, message_id: str, status: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            message = dict(await self.get(f"/api/messages/{message_id}"))
            return message if message["status"] == status else None

        return await until(look)


@pytest.fixture
def evolution() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.05) as running:
        yield running


@pytest.fixture
async def desk(admin: ApiClient, evolution: EvolutionStandin) -> AsyncIterator[Desk]:
    body = {
        "name": "Loja",
        "phone": f"+{OWNER}",
        "provider": "evolution",
        "credentials": {"serverUrl": evolution.url, **CREDENTIALS},
    }
    answer = await admin.post("/api/service-instances", body)
    assert answer.status_code == 201, answer.text
    made = Desk(admin, evolution, answer.json())
    await made.link()
    yield made


async def test_a_conversation_is_held(desk: Desk) -> None:
    maria = desk.maria
    maria.says("Oi, bom dia!")
    (first,) = await desk.shows("Oi, bom dia!")
    assert (first["direction"], first["kind"], first["externalId"][:2]) == ("INBOUND", "text", "AC")
    (conversation,) = await desk.conversations()
    assert conversation["contact"]["name"] == "Maria Silva"
    assert conversation["contact"]["phone"] == "+5511988887777"

    sent = await desk.send("Olá! Como posso ajudar?", replyToId=first["id"])
    assert (sent["status"], sent["externalId"][:4]) == ("sent", "3EB0")
    assert [(one.text, one.quoted) for one in maria.received] == [("Olá! Como posso ajudar?", first["externalId"])]
    desk.standin.receipt(sent["externalId"], "DELIVERY_ACK", "wa")
    await desk.reaches(sent["id"], "delivered")
    desk.standin.receipt(sent["externalId"], "READ", "wa")
    await desk.reaches(sent["id"], "read")

    maria.reacts(sent["externalId"], "❤️")

    async def reacted() -> bool:
        message = await desk.get(f"/api/messages/{sent['id']}")
        return [one["emoji"] for one in message["reactions"]] == ["❤️"]

    await until(reacted)
    second = maria.says("obrigada", quoting=sent["externalId"], at=time.time() + 1)
    maria.edits(second, "muito obrigada")
    messages = await desk.shows("Oi, bom dia!", "Olá! Como posso ajudar?", "muito obrigada")
    assert messages[2]["edited"]
    assert messages[2]["replyTo"]["id"] == sent["id"]
    maria.deletes(second)

    async def deleted() -> bool:
        return bool((await desk.messages())[2]["deleted"])

    await until(deleted)


async def test_files_of_both_sides(desk: Desk) -> None:
    desk.maria.sends_image(samples.png(), caption="foto", mimetype="image/png")
    await desk.shows("foto")
    desk.maria.sends_image(samples.png(), caption="temporária", mimetype="image/png", wrapper="ephemeralMessage")
    messages = await desk.shows("foto", "temporária")
    for message in messages:

        async def file(message_id: str = message["id"]) -> bytes | None:
            answer = await desk.api.get(f"/api/messages/{message_id}/media")
            return answer.content if answer.status_code == 200 else None

        assert await until(file) == samples.png()

    answer = await desk.api.http.post("/api/media", files={"file": ("nota.ogg", samples.ogg(), "audio/ogg")})
    assert answer.status_code == 201, answer.text
    (conversation,) = await desk.conversations()
    body = {"conversationId": conversation["id"], "kind": "audio", "mediaId": answer.json()["id"]}
    sent = await desk.api.post("/api/messages/send", body)
    assert sent.status_code == 201, sent.text
    assert sent.json()["status"] == "sent"
    assert [one.kind for one in desk.maria.received] == ["audio"]


async def test_what_is_typed_on_the_phone_or_sent_by_another_program_shows_once(desk: Desk) -> None:
    desk.maria.says("Oi")
    await desk.shows("Oi")
    desk.standin.owner("wa").says("do celular", to=desk.maria)
    await desk.shows("Oi", "do celular")
    async with httpx.AsyncClient() as other:
        url, key = f"{desk.standin.url}/message/sendText/wa", {"apikey": KEY}
        await other.post(url, json={"number": "5511988887777", "text": "de outro programa"}, headers=key)
    await desk.shows("Oi", "do celular", "de outro programa")
    await desk.send("de nós")
    messages = await desk.shows("Oi", "do celular", "de outro programa", "de nós")
    assert [one["direction"] for one in messages] == ["INBOUND", "OUTBOUND", "OUTBOUND", "OUTBOUND"]


async def test_a_time_out_after_acceptance_is_settled_by_the_echo(desk: Desk) -> None:
    desk.maria.says("Oi")
    await desk.shows("Oi")
    desk.standin.faults.accept_and_close("POST /message/sendText/*")
    sent = await desk.send("uma vez só")
    settled = await desk.reaches(sent["id"], "sent")
    assert settled["externalId"] == desk.maria.received[0].id
    assert [one.text for one in desk.maria.received] == ["uma vez só"]
    await desk.shows("Oi", "uma vez só")


async def test_a_lost_connection_holds_what_is_sent_until_it_is_back(desk: Desk) -> None:
    desk.maria.says("Oi")
    await desk.shows("Oi")
    desk.standin.drop("wa")
    await desk.becomes("connecting")
    waiting = [await desk.send(f"mensagem {number}") for number in range(3)]
    assert {one["status"] for one in waiting} == {"pending"}
    desk.standin.reconnect("wa")
    for one in waiting:
        await desk.reaches(one["id"], "sent")
    assert [one.text for one in desk.maria.received] == [f"mensagem {number}" for number in range(3)]


async def test_what_was_missed_is_caught_up_with(desk: Desk) -> None:
    """Webhooks that never came: the server's own store has the messages."""
    desk.standin.faults.drop_webhook("messages.upsert", times=2)
    desk.maria.says("perdida 1", at=time.time() - 2)
    desk.maria.says("perdida 2", at=time.time() - 1)
    desk.standin.drop("wa")
    await desk.becomes("connecting")
    desk.standin.reconnect("wa")
    await desk.shows("perdida 1", "perdida 2")


def by_lid(desk: Desk) -> Customer:
    return desk.standin.customer(lid="123456789012345", instance="wa")


async def test_one_person_under_all_their_addresses_has_one_conversation(desk: Desk) -> None:
    by_lid(desk).says("só LID")
    await desk.shows("só LID")
    desk.maria.says("telefone e LID")
    await desk.shows("só LID", "telefone e LID")
    desk.standin.customer(phone="5511988887777", lid="123456789012345", addressing="lid", instance="wa").says("por LID")
    await desk.shows("só LID", "telefone e LID", "por LID")
    (conversation,) = await desk.conversations()
    assert conversation["contact"]["phone"] == "+5511988887777"


async def post_captures(desk: Desk, order: list[str]) -> None:
    """Post captured bodies as the instance's own webhook does, several at a time."""
    (request,) = [one for one in desk.standin.requests if one.path == "/instance/create"]
    hook = request.body["webhook"]
    limit = asyncio.Semaphore(8)

    async def post(server: httpx.AsyncClient, name: str) -> None:
        async with limit:
            answer = await server.post(hook["url"], content=orjson.dumps(body_of(name)), headers=hook["headers"])
        assert answer.status_code == 200, (name, answer.text)

    async with httpx.AsyncClient(timeout=30) as server, asyncio.TaskGroup() as group:
        for name in order:
            group.create_task(post(server, name))


async def everything(desk: Desk) -> Any:
    """Return what the API shows of all conversations, without our own ids and times of arrival."""
    shown = []
    for conversation in await desk.conversations():
        items = (await desk.get(f"/api/messages/conversation/{conversation['id']}?limit=200"))["items"]
        hidden = ("id", "conversationId", "createdAt", "media", "replyTo", "sentAt", "deliveredAt", "readAt")
        messages = [{key: value for key, value in item.items() if key not in hidden} for item in items]
        shown.append((conversation["contact"]["name"], conversation["contact"]["phone"], sorted(messages, key=_order)))
    return sorted(shown, key=lambda one: str(one[1]))


def _order(message: dict[str, Any]) -> str:
    return str(message["externalId"])


CONVERSATION = [name for name in names() if name.startswith(("messages.", "send.message"))]


def expected() -> dict[str, tuple[Any, ...]]:
    """Return every captured message by its id: direction, kind, and the text that was written last."""
    messages: dict[str, MessageArrived] = {}
    edits: dict[str, MessageEdited] = {}
    for event in (event for name in CONVERSATION for event in events(body_of(name), groups=False)):
        if isinstance(event, MessageArrived):
            messages[event.external_id] = event
        if isinstance(event, MessageEdited):
            edits[event.external_id] = max(event, edits.get(event.external_id, event), key=lambda one: one.at or NOW)
    return {
        name: (one.direction, one.kind, edits[name].text if name in edits else one.text)
        for name, one in messages.items()
    }


async def test_captures_in_any_order_and_twice_leave_the_same(desk: Desk, seed: int) -> None:
    shuffled = random.Random(seed).sample(CONVERSATION, len(CONVERSATION))
    await post_captures(desk, shuffled)
    first = await everything(desk)
    shown = {
        message["externalId"]: (message["direction"], message["kind"], message["text"])
        for _, _, messages in first
        for message in messages
    }
    assert shown == expected()
    await post_captures(desk, list(reversed(shuffled)))
    assert await everything(desk) == first
