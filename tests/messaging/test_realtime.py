"""Messages and conversations on the socket: to whoever may see them, in the shape of REST."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.user import Caller, Queue, Role, Scope
from elsehu.ids import new_id
from elsehu.messaging.conversations.views import Standing, sees, visible_to
from elsehu.messaging.realtime import audience
from elsehu.settings import DeskSettings, Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer
from elsehu.testing.sockets import SocketClient, socket_to

CUSTOMER = "+5511988887777"


class Desk:
    """A running installation with a sandbox number, and sockets for whoever asks."""

    def __init__(self, server: RunningServer, admin: ApiClient, instance_id: str, stack: AsyncExitStack) -> None:
        self.server = server
        self.admin = admin
        self.instance_id = instance_id
        self._stack = stack

    async def operator(self) -> ApiClient:
        return await self._stack.enter_async_context(log_in_as(self.server, "OPERATOR"))

    async def socket(self, who: ApiClient, inbox: bool = True) -> SocketClient:
        socket = await self._stack.enter_async_context(socket_to(self.server, who.token))
        if inbox:
            await socket.do("inbox:subscribe")
        return socket

    async def customer_says(self, text: str, phone: str = CUSTOMER) -> None:
        answer = await self.admin.post(f"/api/sandbox/{self.instance_id}/say", {"from": {"phone": phone}, "text": text})
        assert answer.status_code == 201, answer.text

    async def conversation(self) -> str:
        """Have a customer write; return the conversation's id."""
        await self.customer_says("hello")
        items = (await self.admin.get("/api/conversations")).json()["items"]
        conversation_id: str = items[0]["id"]
        return conversation_id

    async def take(self, who: ApiClient, conversation_id: str) -> None:
        answer = await who.post(f"/api/conversations/{conversation_id}/assign", {})
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def desk(server: RunningServer, admin: ApiClient) -> AsyncIterator[Desk]:
    settings = {"delays": {"deliveredSeconds": 0, "readSeconds": 0, "replySeconds": None}}
    number = {"name": "Shop", "phone": "+5511955550000", "provider": "sandbox", "settings": settings, "credentials": {}}
    answer = await admin.post("/api/service-instances", number)
    assert answer.status_code == 201, answer.text
    instance_id = answer.json()["id"]
    async with asyncio.timeout(10):
        while (await admin.get(f"/api/service-instances/{instance_id}")).json()["status"] != "connected":
            await asyncio.sleep(0.02)
    async with AsyncExitStack() as stack:
        yield Desk(server, admin, instance_id, stack)


async def test_what_a_customer_writes_reaches_every_operator_in_the_shape_of_rest(desk: Desk) -> None:
    sockets = [await desk.socket(await desk.operator()) for _ in range(2)]
    conversation_id = await desk.conversation()
    for socket in sockets:
        message = await socket.next("message:new")
        conversation = await socket.next("conversation:new")
        assert message["data"] == (await desk.admin.get(f"/api/messages/{message['data']['id']}")).json()
        assert conversation["data"] == (await desk.admin.get(f"/api/conversations/{conversation_id}")).json()


async def test_what_a_customer_writes_is_on_every_screen_at_once(desk: Desk) -> None:
    sockets = [await desk.socket(await desk.operator()) for _ in range(2)]
    loop = asyncio.get_running_loop()
    waits = []
    for number in range(1, 22):
        await desk.customer_says(f"message {number}")
        answered = loop.time()
        for socket in sockets:
            await socket.next("message:new", number)
        waits.append(loop.time() - answered)
    assert sorted(waits)[10] < 0.1


async def test_an_answer_and_its_ticks_are_told(desk: Desk) -> None:
    operator = await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(operator, conversation_id)
    socket = await desk.socket(operator)
    message = {"conversationId": conversation_id, "text": "Good morning", "clientId": "one"}
    sent = await socket.do("message:send", message)
    assert (await socket.do("message:send", message))["id"] == sent["id"]

    def statuses() -> list[str]:
        frames = [*socket.all("message:new"), *socket.all("message:updated")]
        return [frame["data"]["status"] for frame in frames if frame["data"]["id"] == sent["id"]]

    await socket.until(lambda: "read" in statuses())


async def test_refusals_are_those_of_rest(desk: Desk) -> None:
    operator = await desk.operator()
    conversation_id = await desk.conversation()
    socket = await desk.socket(operator)
    message = {"conversationId": conversation_id, "text": "mine?"}
    rest = await operator.post("/api/messages/send", message)
    refusal = (await socket.ask("message:send", message))["error"]
    assert (refusal["code"], refusal["detail"]) == (rest.json()["code"], rest.json()["detail"])


async def test_who_takes_a_conversation_has_it_and_the_others_see_it_go(desk: Desk) -> None:
    winner, loser = await desk.operator(), await desk.operator()
    conversation_id = await desk.conversation()
    mine, others, boss = [await desk.socket(one) for one in (winner, loser, desk.admin)]
    for socket in (mine, others, boss):
        await socket.do("conversation:join", {"conversationId": conversation_id})
    await desk.take(winner, conversation_id)
    await desk.customer_says("for the winner alone")
    for socket in (mine, boss):
        message = await socket.next("message:new")
        assert message["data"]["text"] == "for the winner alone"
    farewell = await others.next("conversation:updated")
    owner = {"id": winner.user["id"], "name": winner.user["name"]}
    assert farewell["data"] == {"id": conversation_id, "status": "assigned", "assignedTo": owner}
    await others.ask("ping")
    assert len(others.all("conversation:updated")) == 1
    assert not others.all("message:new")
    refused = await others.ask("conversation:join", {"conversationId": conversation_id})
    assert refused["error"]["code"] == "conversation_not_found"


async def test_who_is_relieved_of_a_conversation_sees_it_go(desk: Desk) -> None:
    first, second = await desk.operator(), await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(first, conversation_id)
    before, after = [await desk.socket(one) for one in (first, second)]
    transfer = {"userId": second.user["id"]}
    answer = await first.post(f"/api/conversations/{conversation_id}/transfer", transfer)
    assert answer.status_code == 200, answer.text
    assert set((await before.next("conversation:updated"))["data"]) == {"id", "status", "assignedTo"}
    assert "contact" in (await after.next("conversation:updated"))["data"]
    await desk.customer_says("for the second")
    await after.next("message:new")
    assert not before.all("message:new")


async def test_a_resumed_frontend_ends_with_what_rest_shows(desk: Desk) -> None:
    """Cut off while a conversation goes on, it ends with the same messages, states and list."""
    operator = await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(operator, conversation_id)
    socket = await desk.socket(operator)
    cursor = socket.cursor
    await socket.cut()
    for number in range(20):
        await desk.customer_says(f"question {number}")
        await operator.post("/api/messages/send", {"conversationId": conversation_id, "text": f"answer {number}"})
    await desk.customer_says("somebody else", phone="+5511977776666")
    socket = await desk.socket(operator, inbox=False)
    await socket.do("resume", {"cursor": cursor, "inbox": {}})
    await socket.next("resumed")
    await socket.until(
        lambda: all(one["status"] in ("read", "received") for one in newest(socket, "message:").values())
    )
    thread = (await operator.get(f"/api/messages/conversation/{conversation_id}?limit=200")).json()["items"]
    shown = {one["id"]: one for one in thread if one["text"] != "hello"}
    known = newest(socket, "message:")
    assert {key: one for key, one in known.items() if one["conversationId"] == conversation_id} == shown
    listed = {one["id"]: one for one in (await operator.get("/api/conversations")).json()["items"]}
    assert newest(socket, "conversation:") == listed


def newest(socket: SocketClient, family: str) -> dict[str, dict[str, Any]]:
    """Return the last that was told of each message or conversation."""
    frames = [frame for frame in socket.frames if frame["event"].startswith(family)]
    return {frame["data"]["id"]: frame["data"] for frame in frames}


async def test_reading_tells_that_nothing_is_unread(desk: Desk) -> None:
    operator = await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(operator, conversation_id)
    socket = await desk.socket(operator)
    await socket.do("message:read", {"conversationId": conversation_id})
    assert (await socket.next("conversation:updated"))["data"]["unreadCount"] == 0


async def test_typing_is_shown_to_the_room_and_to_the_customer(desk: Desk) -> None:
    operator = await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(operator, conversation_id)
    typist, boss = await desk.socket(operator), await desk.socket(desk.admin, inbox=False)
    await boss.do("conversation:join", {"conversationId": conversation_id})
    await typist.do("typing", {"conversationId": conversation_id, "state": "composing"})
    told = (await boss.next("typing"))["data"]
    user = {"id": operator.user["id"], "name": operator.user["name"]}
    assert told == {"conversationId": conversation_id, "state": "composing", "from": "operator", "user": user}
    async with asyncio.timeout(10):
        while "composing" not in (await desk.admin.get(f"/api/sandbox/{desk.instance_id}/phone")).text:
            await asyncio.sleep(0.02)


async def test_another_operators_conversation_is_not_there(desk: Desk) -> None:
    owner, other = await desk.operator(), await desk.operator()
    conversation_id = await desk.conversation()
    await desk.take(owner, conversation_id)
    socket = await desk.socket(other)
    for event, more in (
        ("conversation:join", {}),
        ("message:read", {}),
        ("message:send", {"text": "hello"}),
        ("typing", {"state": "composing"}),
    ):
        answer = await socket.ask(event, {"conversationId": conversation_id, **more})
        assert answer["error"]["code"] == "conversation_not_found", event


ME, OTHER, NUMBER, TEAM = new_id(), new_id(), new_id(), new_id()
SCOPES = [Scope(), Scope(teams=frozenset({TEAM})), Scope(frozenset({NUMBER})), Scope(frozenset(), frozenset({TEAM}))]
CALLERS = [Caller(Role.ADMIN, ME, ""), Caller(Role.SUPERVISOR, ME, "")]
OPERATORS = [Caller(Role.OPERATOR, ME, "", scope=scope) for scope in SCOPES]
MACHINES = [Caller(role, None, "", api_key_id=ME) for role in Role]
STATES = [
    ("dormant", None), ("queued", None), ("assigned", ME), ("assigned", OTHER), ("closed", None), ("closed", ME),
    ("closed", OTHER),
]  # fmt: skip


@pytest.mark.parametrize("sees_all", [False, True])
@pytest.mark.parametrize("team", [None, TEAM])
@pytest.mark.parametrize(("caller", "state"), list(product(CALLERS + OPERATORS + MACHINES, STATES)))
def test_the_socket_shows_what_rest_shows(
    caller: Caller, state: tuple[str, UUID | None], team: UUID | None, sees_all: bool
) -> None:
    settings = Settings(desk=DeskSettings(operators_see_all=sees_all))
    status, owner = state
    view = {
        "status": status,
        "assignedTo": None if owner is None else {"id": str(owner), "name": ""},
        "serviceInstance": {"id": str(NUMBER)},
        "teamId": team and str(team),
    }
    standing = Standing.of_view(view)
    assert audience(settings, standing).includes(caller) == visible_to(caller, settings, view)


@pytest.mark.parametrize(
    ("scope", "without_team", "with_team"),
    [
        (Scope(), True, False),
        (Scope(teams=frozenset({TEAM})), True, True),
        (Scope(frozenset({NUMBER})), True, False),
        (Scope(frozenset({OTHER})), False, False),
        (Scope(frozenset({OTHER}), frozenset({TEAM})), False, True),
    ],
)
def test_what_waits_is_for_those_who_serve_its_queue(scope: Scope, without_team: bool, with_team: bool) -> None:
    caller = Caller(Role.OPERATOR, ME, "", scope=scope)
    for team, visible in ((None, without_team), (TEAM, with_team)):
        assert sees(caller, Settings(), Standing("queued", None, Queue(NUMBER, team))) is visible
        assert sees(caller, Settings(), Standing("assigned", ME, Queue(NUMBER, team)))
        assert not sees(caller, Settings(), Standing("assigned", OTHER, Queue(NUMBER, team)))
