"""A number of the Cloud API in a whole Elsehu: connected, written to, answered, held and set free again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
from elsehu_meta_cloud.testing import Customer, MetaStandin, running_standin, samples

from elsehu.testing.client import ApiClient

Answer = TypeVar("Answer")
MARIA, JOSE = "5511988887777", "5511977776666"
NEW_TOKEN = "EAAG-the-token-after-rotation"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["meta_cloud", "storage_local"]},
        "messaging": {"backoff_first": 0.1, "send_wait": 1.0},
    }


async def until(look: Callable[[], Awaitable[Answer | None]], seconds: float = 20.0) -> Answer:
    """Look again and again until there is something to see."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.02)
    return seen


class Desk:
    """One number of a running server, its API, and the stand-in behind it."""

    def __init__(self, api: ApiClient, standin: MetaStandin, instance: dict[str, Any]) -> None:
        self.api = api
        self.standin = standin
        self.instance = instance

    async def get(self, path: str) -> Any:
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self) -> dict[str, Any]:
        return dict(await self.get(f"/api/service-instances/{self.instance['id']}"))

    async def becomes(self, status: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            state = await self.state()
            return state if state["status"] == status else None

        return await until(look)

    async def conversation(self, customer: Customer, text: str = "Oi") -> str:
        """Have a customer write; return the id of the conversation in which that is."""
        customer.says(text)

        async def look() -> str | None:
            for one in (await self.get("/api/conversations"))["items"]:
                if one["contact"]["phone"] == f"+{customer.address}" or one["contact"]["name"] == "Sem Número":
                    return str(one["id"])
            return None

        return await until(look)

    async def post(self, **body: Any) -> Any:
        return await self.api.post("/api/messages/send", body)

    async def send(self, conversation_id: str, text: str | None = None, **more: Any) -> dict[str, Any]:
        said = {"text": text} if text else {}
        answer = await self.post(conversationId=conversation_id, **said, **more)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def reaches(self, message: dict[str, Any], status: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = dict(await self.get(f"/api/messages/{message['id']}"))
            return found if found["status"] == status else None

        return await until(look)


@pytest.fixture
def options() -> dict[str, Any]:
    """What a test changes in the stand-in."""
    return {}


@pytest.fixture
def phones(options: dict[str, Any]) -> Iterator[MetaStandin]:
    with running_standin(retry_base=0.05, **options) as standin:
        yield standin


@pytest.fixture
async def desk(admin: ApiClient, phones: MetaStandin) -> AsyncIterator[Desk]:
    options = phones.options
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
        "settings": {"baseUrl": phones.url, "mediaHosts": [phones.files_url]},
    }
    answer = await admin.post("/api/service-instances", body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["status"], answer.json()["statusDetail"]) == ("connected", "")
    yield Desk(admin, phones, answer.json())


async def test_connecting_sets_everything_up(desk: Desk) -> None:
    state, shown = desk.standin.state, await desk.state()
    assert state["callbacks"] == {desk.standin.options.number_id: shown["webhookUrl"]}
    assert state["app_callback"] == shown["webhookUrl"].rpartition("/")[0]
    assert state["subscribed"] == {desk.standin.options.waba_id: [desk.standin.options.app_id]}
    assert shown["health"]["quality"] == "GREEN"
    assert shown["health"]["tier"] == "TIER_2K"
    assert desk.standin.options.token not in str(shown)


async def test_a_conversation_is_held(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria, "Oi, bom dia!")
    (first,) = (await desk.get(f"/api/messages/conversation/{conversation}"))["items"]
    sent = await desk.send(conversation, "Olá! Como posso ajudar?", replyToId=first["id"])
    assert (sent["status"] in ("sent", "delivered"), sent["externalId"][:6]) == (True, "wamid.")
    assert [(one.content["body"], one.quoted) for one in maria.received] == [
        ("Olá! Como posso ajudar?", first["externalId"])
    ]
    await desk.reaches(sent, "delivered")
    maria.reads(sent["externalId"])
    await desk.reaches(sent, "read")
    maria.reacts(sent["externalId"], "❤️")

    async def reacted() -> bool:
        message = await desk.get(f"/api/messages/{sent['id']}")
        return [one["emoji"] for one in message["reactions"]] == ["❤️"]

    await until(reacted)
    await desk.api.post(f"/api/conversations/{conversation}/read")
    await desk.standin.eventually(lambda: desk.standin.state["read"])
    assert all(one.answers == [200] for one in desk.standin.webhooks)


async def test_a_bad_token_holds_the_queue_and_a_new_one_lets_it_go(desk: Desk) -> None:
    maria, jose = desk.standin.customer(MARIA), desk.standin.customer(JOSE, name="José")
    conversations = [await desk.conversation(maria), await desk.conversation(jose)]
    desk.standin.call("set_tokens", tokens=[NEW_TOKEN])
    waiting = [await desk.send(conversations[number % 2], f"mensagem {number}") for number in range(6)]
    blocked = await desk.becomes("blocked")
    assert "credentials.accessToken" in blocked["statusDetail"]
    assert {(await desk.get(f"/api/messages/{one['id']}"))["status"] for one in waiting} == {"pending"}
    tried = len([one for one in desk.standin.requests if one.path.endswith("/messages")])
    assert tried <= len(conversations)

    changed = await desk.api.patch(
        f"/api/service-instances/{desk.instance['id']}", {"credentials": {"accessToken": NEW_TOKEN}}
    )
    assert changed.json()["status"] == "connected", changed.text
    for one in waiting:
        await desk.reaches(one, "delivered")
    assert maria.texts == ["mensagem 0", "mensagem 2", "mensagem 4"]
    assert jose.texts == ["mensagem 1", "mensagem 3", "mensagem 5"]


async def test_a_refusal_of_the_whole_number_is_not_tried_again_and_again(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    desk.standin.refuse(131042)
    waiting = await desk.send(conversation, "com o cartão vencido")
    assert "payment" in (await desk.becomes("blocked"))["statusDetail"]
    answer = await desk.get(f"/api/service-instances/{desk.instance['id']}/status")
    assert answer["status"] == "blocked"
    connected = await desk.api.post(f"/api/service-instances/{desk.instance['id']}/connect")
    assert connected.json()["status"] == "connected", connected.text
    await desk.reaches(waiting, "delivered")
    assert maria.texts == ["com o cartão vencido"]


async def test_a_pair_limit_slows_one_pair_only(desk: Desk) -> None:
    maria, jose = desk.standin.customer(MARIA), desk.standin.customer(JOSE, name="José")
    to_maria, to_jose = await desk.conversation(maria), await desk.conversation(jose)
    desk.standin.call("limit", pair=[2.5, 1])
    slow = [await desk.send(to_maria, f"devagar {number}") for number in range(2)]
    desk.standin.call("limit", pair=None)
    began = time.monotonic()
    quick = [await desk.send(to_jose, f"rápido {number}") for number in range(5)]
    for one in quick:
        await desk.reaches(one, "delivered")
    assert time.monotonic() - began < 5
    await desk.reaches(slow[1], "delivered")
    assert jose.texts == [f"rápido {number}" for number in range(5)]
    assert maria.texts == ["devagar 0", "devagar 1"]
    assert len([one for one in desk.standin.requests if one.status == 400]) == 1
    assert (await desk.state())["status"] == "connected"


async def test_a_throughput_limit_slows_the_number_and_loses_nothing(desk: Desk) -> None:
    maria, jose = desk.standin.customer(MARIA), desk.standin.customer(JOSE, name="José")
    conversations = [await desk.conversation(maria), await desk.conversation(jose)]
    desk.standin.refuse(130429, status=429)
    sent = [await desk.send(conversations[number % 2], f"mensagem {number}") for number in range(4)]
    for one in sent:
        await desk.reaches(one, "delivered")
    assert maria.texts + jose.texts == [f"mensagem {number}" for number in (0, 2, 1, 3)]
    assert (await desk.state())["status"] == "connected"


async def test_a_status_may_come_before_the_answer(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    desk.standin.fault("status_first", seconds=0.2)
    sent = await desk.send(conversation, "mais rápido que a resposta")
    await desk.reaches(sent, "delivered")
    assert maria.texts == ["mais rápido que a resposta"]


async def test_a_lost_answer_is_settled_by_our_own_id_in_the_status(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    desk.standin.fault("close", accepted=True)
    sent = await desk.send(conversation, "uma vez só")
    settled = await desk.reaches(sent, "delivered")
    (arrived,) = maria.received
    assert settled["externalId"] == arrived.id
    assert arrived.reference == sent["id"]


@pytest.mark.parametrize("options", [{"statuses": ""}])
async def test_without_any_status_the_outcome_stays_unknown(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    desk.standin.fault("close", accepted=True)
    sent = await desk.send(conversation, "uma vez só")
    await desk.reaches(sent, "unconfirmed")
    assert maria.texts == ["uma vez só"]


async def test_what_fails_later_says_why(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    desk.standin.fault("fail_later", code=131047)
    sent = await desk.send(conversation, "tarde demais")
    failed = await desk.reaches(sent, "failed")
    assert failed["error"]["code"] == "window_closed"


@pytest.mark.parametrize("options", [{"checks_window": True}])
async def test_outside_the_window_only_a_template_goes(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    desk.standin.call("add_template", name="volte", components=[{"type": "BODY", "text": "Oi {{1}}, ainda aí?"}])
    conversation = await desk.conversation(maria)
    await desk.send(conversation, "dentro da janela")
    yesterday = time.time() - 25 * 3600
    jose = desk.standin.customer(JOSE, name="José")
    jose.says("ontem", at=yesterday)

    async def old() -> str | None:
        items = (await desk.get("/api/conversations"))["items"]
        return next((one["id"] for one in items if one["contact"]["phone"] == f"+{JOSE}"), None)

    closed = await until(old)
    refused = await desk.post(conversationId=closed, text="fora da janela")
    assert (refused.status_code, refused.json()["code"]) == (409, "window_closed")
    synced = await desk.api.post(f"/api/templates/sync?serviceInstanceId={desk.instance['id']}")
    assert synced.status_code < 300, synced.text

    async def template() -> dict[str, Any] | None:
        items = (await desk.get("/api/templates"))["items"]
        return next((one for one in items if one["name"] == "volte"), None)

    found = await until(template)
    body = {"templateId": found["id"], "variables": {"1": "José"}}
    sent = await desk.send(closed, kind="template", template=body)
    await desk.reaches(sent, "delivered")
    (arrived,) = jose.received
    assert arrived.content["components"] == [{"type": "body", "parameters": [{"type": "text", "text": "José"}]}]


async def test_files_of_both_sides(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    maria.sends_file("image", samples.png(), "image/png", caption="foto")

    async def file() -> bytes | None:
        items = (await desk.get(f"/api/messages/conversation/{conversation}"))["items"]
        if items[0]["text"] != "foto":
            return None
        answer = await desk.api.get(f"/api/messages/{items[0]['id']}/media")
        return answer.content if answer.status_code == 200 else None

    assert await until(file) == samples.png()
    answer = await desk.api.http.post("/api/media", files={"file": ("a.pdf", samples.pdf(), "application/pdf")})
    assert answer.status_code == 201, answer.text
    media_id = answer.json()["id"]
    for _ in range(2):
        sent = await desk.send(conversation, kind="document", mediaId=media_id)
        await desk.reaches(sent, "delivered")
    documents = [one for one in maria.received if one.type == "document"]
    assert [one.content["filename"] for one in documents] == ["a.pdf", "a.pdf"]
    assert len([one for one in desk.standin.requests if one.path.endswith("/media")]) == 1


async def test_a_customer_without_a_number_is_answered_by_user_id(desk: Desk) -> None:
    hidden = desk.standin.customer(user_id="BR.1349120865530274", name="Sem Número", username="@sem")
    conversation = await desk.conversation(hidden)
    sent = await desk.send(conversation, "olá")
    await desk.reaches(sent, "delivered")
    assert hidden.texts == ["olá"]


async def test_choices_go_out_and_come_back(desk: Desk) -> None:
    maria = desk.standin.customer(MARIA)
    conversation = await desk.conversation(maria)
    buttons = {"type": "buttons", "body": "Confirma?", "buttons": [{"id": "s", "title": "Sim"}]}
    sent = await desk.send(conversation, kind="interactive", interactive=buttons)
    await desk.reaches(sent, "delivered")
    reply = {"type": "button_reply", "button_reply": {"id": "s", "title": "Sim"}}
    maria.sends("interactive", reply, context={"from": "1", "id": sent["externalId"]})

    async def answered() -> bool:
        newest = (await desk.get(f"/api/messages/conversation/{conversation}"))["items"][0]
        return bool(newest["text"] == "Sim" and newest["replyTo"]["id"] == sent["id"])

    await until(answered)
