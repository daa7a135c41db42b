"""The sandbox in a whole server: a conversation held, faults survived, and the command line beside it."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import pytest

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

Answer = TypeVar("Answer")
QUICK = {"deliveredSeconds": 0, "readSeconds": 0.05, "replySeconds": None}


async def until(look: Callable[[], Awaitable[Answer | None]], seconds: float = 20.0) -> Answer:
    """Look again and again until there is something to see."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.02)
    return seen


class Shop:
    """One sandbox number of a running server, and its API."""

    def __init__(self, api: ApiClient, instance: dict[str, Any]) -> None:
        self.api = api
        self.instance = instance

    @property
    def path(self) -> str:
        return f"/api/sandbox/{self.instance['id']}"

    async def say(self, text: str, **fields: Any) -> None:
        answer = await self.api.post(f"{self.path}/say", {"text": text, **fields})
        assert answer.status_code == 201, answer.text
        assert answer.json()["taken"]

    async def order_faults(self, *faults: dict[str, Any]) -> None:
        answer = await self.api.post(f"{self.path}/faults", {"sequence": faults})
        assert answer.status_code == 200, answer.text

    async def conversation(self) -> str:
        items = (await self.api.get("/api/conversations")).json()["items"]
        assert len(items) == 1
        return str(items[0]["id"])

    async def messages(self) -> list[dict[str, Any]]:
        """Return the one conversation's messages, oldest first."""
        answer = await self.api.get(f"/api/messages/conversation/{await self.conversation()}")
        return list(reversed(answer.json()["items"]))

    async def send(self, text: str) -> dict[str, Any]:
        body = {"conversationId": await self.conversation(), "text": text}
        answer = await self.api.post("/api/messages/send", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def reaches(self, message_id: str, status: str) -> dict[str, Any]:
        """Wait until a message has a status and return it."""

        async def look() -> dict[str, Any] | None:
            message = (await self.api.get(f"/api/messages/{message_id}")).json()
            return message if message["status"] == status else None

        return await until(look)

    async def on_the_phone(self) -> list[str]:
        items = (await self.api.get(f"{self.path}/phone", params={"type": "message"})).json()["items"]
        return [item["text"] for item in items]


@asynccontextmanager
async def opened(api: ApiClient, **settings: Any) -> AsyncIterator[Shop]:
    body = {"name": "Shop", "phone": "+5511955550000", "provider": "sandbox", "credentials": {}, "settings": settings}
    answer = await api.post("/api/service-instances", body)
    assert answer.status_code == 201, answer.text
    yield Shop(api, answer.json())


async def is_connected(shop: Shop) -> bool:
    answer = await shop.api.get(f"/api/service-instances/{shop.instance['id']}")
    return bool(answer.json()["status"] == "connected")


@pytest.fixture
async def shop(admin: ApiClient) -> AsyncIterator[Shop]:
    """A quick and quiet number."""
    async with opened(admin, delays=QUICK) as made:
        await until(lambda: is_connected(made))
        yield made


async def test_a_conversation_is_held(admin: ApiClient) -> None:
    async with opened(admin, script="hello", delays={**QUICK, "replySeconds": 0.2}) as shop:

        async def greeted() -> list[Any]:
            return list((await admin.get("/api/conversations")).json()["items"])

        [conversation] = await until(greeted)
        assert conversation["contact"]["phone"] == "+5511987654321"
        sent = await shop.send("Good morning. Yes, until noon.")
        assert (await shop.reaches(sent["id"], "read"))["readAt"]

        async def answered() -> bool:
            return len(await shop.messages()) == 3

        await until(answered)
        assert [one["direction"] for one in await shop.messages()] == ["INBOUND", "OUTBOUND", "INBOUND"]
        assert await shop.on_the_phone() == ["Good morning. Yes, until noon."]


async def test_a_throttled_message_is_sent_when_the_provider_lets_it(shop: Shop) -> None:
    await shop.say("Hello")
    await shop.order_faults({"kind": "throttle", "retryAfter": 0.2, "times": 2})
    sent = await shop.send("Good morning")
    await shop.reaches(sent["id"], "read")
    assert await shop.on_the_phone() == ["Good morning"]
    assert (await shop.api.get(f"{shop.path}/faults")).json() == {"sequence": []}


async def test_a_lost_answer_is_settled_and_the_customer_got_it_once(shop: Shop) -> None:
    await shop.say("Hello")
    await shop.order_faults({"kind": "timeout_after_accept", "seconds": 0.2})
    sent = await shop.send("Only once")
    settled = await shop.reaches(sent["id"], "read")
    assert settled["externalId"]
    assert await shop.on_the_phone() == ["Only once"]
    assert [one["text"] for one in await shop.messages()] == ["Hello", "Only once"]


async def test_an_answer_lost_in_silence_is_settled_by_the_history(shop: Shop) -> None:
    await shop.say("Hello")
    await shop.order_faults({"kind": "timeout_after_accept", "silent": True})
    sent = await shop.send("Only once")
    await shop.reaches(sent["id"], "read")
    assert await shop.on_the_phone() == ["Only once"]
    assert [one["text"] for one in await shop.messages()] == ["Hello", "Only once"]


async def test_duplicated_and_reordered_webhooks_change_nothing(shop: Shop) -> None:
    await shop.order_faults({"kind": "duplicate_webhooks"})
    await shop.say("Hello")
    for fault in ("duplicate_webhooks", "reorder_webhooks"):
        await shop.order_faults({"kind": fault})
        sent = await shop.send(fault)
        read = await shop.reaches(sent["id"], "read")
        assert read["deliveredAt"]
    assert [one["text"] for one in await shop.messages()] == ["Hello", "duplicate_webhooks", "reorder_webhooks"]


async def test_a_refused_message_fails_with_its_reason(shop: Shop) -> None:
    await shop.say("Hello")
    await shop.order_faults({"kind": "reject"})
    sent = await shop.send("Good morning")
    failed = await shop.reaches(sent["id"], "failed")
    assert failed["error"]["code"] == "recipient_unavailable"
    assert await shop.on_the_phone() == []


async def test_a_disconnected_number_keeps_its_queue_until_it_is_connected(shop: Shop) -> None:
    await shop.say("Hello")
    await shop.order_faults({"kind": "disconnect"})
    sent = await shop.send("Good morning")
    assert sent["status"] == "pending"
    answer = await shop.api.post(f"/api/service-instances/{shop.instance['id']}/connect")
    assert answer.status_code == 200, answer.text
    await shop.reaches(sent["id"], "read")
    assert await shop.on_the_phone() == ["Good morning"]


async def test_customers_edit_react_and_delete(shop: Shop) -> None:
    await shop.say("Helo", id="A1")
    customer = {"phone": "+5511987654321"}
    events = [
        {"type": "edit", "id": "A1", "text": "Hello"},
        {"type": "reaction", "id": "A1", "emoji": "👍", "from": customer},
        {"type": "delete", "id": "A1"},
        {"type": "a type of tomorrow"},
    ]
    answer = await shop.api.post(f"{shop.path}/events", {"events": events})
    assert answer.json()["taken"], answer.text
    [message] = await shop.messages()
    assert (message["text"], message["edited"], message["deleted"]) == ("Hello", True, True)
    assert [one["emoji"] for one in message["reactions"]] == ["👍"]


async def test_media_arrives(shop: Shop) -> None:
    await shop.say("Look", media={"mimeType": "image/png", "size": 100_000})

    async def ready() -> dict[str, Any] | None:
        [message] = await shop.messages()
        return message if message["media"]["state"] == "ready" else None

    message = await until(ready)
    assert message["kind"] == "image"
    content = await shop.api.get(f"/api/messages/{message['id']}/media")
    assert content.headers["content-type"] == "image/png"
    assert len(content.content) == 100_000


async def test_pairing(admin: ApiClient) -> None:
    async with opened(admin, requirePairing=True, delays=QUICK) as shop:
        url = f"/api/service-instances/{shop.instance['id']}"

        async def code() -> dict[str, Any] | None:
            answer = await admin.get(f"{url}/qrcode")
            return dict(answer.json()) if answer.status_code == 200 and answer.json()["base64"] else None

        assert (await until(code))["code"].startswith("elsehu-sandbox:")
        scanned = await admin.post(f"{shop.path}/scan")
        assert scanned.json() == {"status": "connected", "detail": ""}
        await until(lambda: is_connected(shop))
        assert (await admin.get(f"{url}/qrcode")).status_code == 409


ROUTES = [
    ("POST", "say", {"text": "Hi"}),
    ("POST", "events", {"events": [{"type": "typing", "from": {"lid": "12345"}}]}),
    ("GET", "faults", None),
    ("POST", "faults", {"sequence": []}),
    ("POST", "scan", None),
    ("GET", "phone", None),
]


async def test_only_admins_and_supervisors_come_in(server: RunningServer, shop: Shop) -> None:
    async def statuses(http: httpx.AsyncClient, path: str = shop.path) -> set[int]:
        return {(await http.request(method, f"{path}/{name}", json=body)).status_code for method, name, body in ROUTES}

    async with httpx.AsyncClient(base_url=server.url) as stranger:
        assert await statuses(stranger) == {401}
    async with log_in_as(server, "OPERATOR") as operator:
        assert await statuses(operator.http) == {403}
    async with log_in_as(server, "SUPERVISOR") as supervisor:
        assert await statuses(supervisor.http) == {200, 201}
        assert await statuses(supervisor.http, "/api/sandbox/01890000-0000-7000-8000-000000000000") == {404}
        assert await statuses(supervisor.http, "/api/sandbox/nonsense") == {404}


REFUSED: list[tuple[str, Any, str]] = [
    ("say", {"txt": "Hi"}, "txt"),
    ("say", {}, "text"),
    ("say", {"text": "Hi", "from": {"phone": "12"}}, "phone"),
    ("events", {"events": []}, "events"),
    ("events", {"events": [{"type": "status", "id": "A1", "status": "eaten"}]}, "status"),
    ("faults", {"sequence": [{"kind": "earthquake"}]}, "sequence.0"),
    ("faults", {"sequence": [{"kind": "error", "retryAfter": 1}]}, "retryAfter"),
]


async def test_what_is_not_right_is_refused(shop: Shop) -> None:
    for name, body, field in REFUSED:
        answer = await shop.api.post(f"{shop.path}/{name}", body)
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert field in error["field"] or field in error["message"]


async def test_the_phone_is_read_page_by_page(shop: Shop) -> None:
    await shop.say("Hello")
    for number in range(5):
        await shop.reaches((await shop.send(str(number)))["id"], "read")
    texts: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2, "type": "message", **({"cursor": cursor} if cursor else {})}
        page = (await shop.api.get(f"{shop.path}/phone", params=query)).json()
        texts += [item["text"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert texts == ["0", "1", "2", "3", "4"]
    for nonsense in ("7", "-1", "x", "9" * 30):
        assert (await shop.api.get(f"{shop.path}/phone", params={"cursor": nonsense})).status_code == 422


Said = tuple[int, str, str]


@pytest.fixture
def elsehu(server: RunningServer) -> Callable[..., Awaitable[Said]]:
    """Run a command in a process of its own, on the same installation: its exit code, output and errors."""
    settings = server.kernel.settings
    assert settings.database_url and settings.redis_url
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "ELSEHU_SECRET_KEY": ",".join(settings.secret_keys),
        "ELSEHU_DATA_DIR": str(settings.data_dir),
        "ELSEHU_PUBLIC_URL": server.url,
    }

    async def run(*arguments: str) -> Said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "elsehu",
            "sandbox",
            *arguments,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd=settings.data_dir,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    return run


async def test_the_command_line(shop: Shop, elsehu: Callable[..., Awaitable[Said]]) -> None:
    said = await elsehu("say", "--phone", "+5511977776666", "--name", "João", "Do you deliver?")
    assert said == (0, "João (+5511977776666) wrote to Shop.\n", "")
    [message] = await shop.messages()
    assert message["text"] == "Do you deliver?"

    assert (await elsehu("faults", '[{"kind": "reject"}]'))[:2] == (0, "1 faults are to come for Shop.\n")
    assert (await shop.send("lost"))["status"] == "failed"
    await shop.reaches((await shop.send("Yes"))["id"], "read")

    _, shown, _ = await elsehu("phone")
    assert [line.split("  ", 1)[1] for line in shown.splitlines()] == [
        "from +5511977776666  Do you deliver?",
        "to   +5511977776666  Yes",
    ]


async def test_the_command_line_says_what_to_do(shop: Shop, elsehu: Callable[..., Awaitable[Said]]) -> None:
    for arguments, fix in [
        (["say", "--instance", "Nobody", "Hi"], "There are: Shop"),
        (["faults", "[{}]"], "kind"),
        (["faults", "nonsense"], "JSON"),
        (["say", "--phone", "12", "Hi"], "phone"),
    ]:
        code, _, errors = await elsehu(*arguments)
        assert code in {1, 2}
        assert fix in errors
        assert "Traceback" not in errors
