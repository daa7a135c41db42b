"""Dormant conversations: only we have written, in bulk. Nobody works in one until the customer answers or we begin."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from elsehu import events
from elsehu.contracts.inbound import Event, ReactionChanged, StatusChanged
from elsehu.contracts.message import Direction, Status
from elsehu.db import Row
from elsehu.events import Change
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.contacts import editing, marking
from elsehu.messaging.contacts.consent import set_consents
from elsehu.messaging.contacts.listing import hold_contact
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer
from elsehu.testing.sockets import SocketClient, socket_to

from .conftest import NOON, deliver, phone, text

SLEEP = """
INSERT INTO conversations (id, contact_id, instance_id, status, opened_at, last_activity_at, first_reply_at, tags)
SELECT $1, i.contact_id, $2, 'dormant', $4, $4, $4, '{}' FROM contact_identities i WHERE i.value = $3
"""
BULK = """
INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, status, status_rank,
    external_id, at, lane)
VALUES ($1, $2, $3, 'OUTBOUND', 'text', 'Big sale!', 'sent', 3, $4, $5, 1)
"""
CLOSE = """
UPDATE conversations v SET status = 'closed', closed_at = opened_at + interval '1 minute' FROM contact_identities i
WHERE i.contact_id = v.contact_id AND i.value = $1
"""
CAMPAIGN = NOON + timedelta(hours=1)


async def asleep(kernel: Kernel, number: UUID, digits: str, at: datetime = CAMPAIGN) -> UUID:
    """Have sent a bulk message to a known customer at the time `at`; return the dormant conversation's id."""
    conversation_id = new_id()
    await kernel.db.execute(SLEEP, conversation_id, number, phone(digits).value, at)
    await kernel.db.execute(BULK, new_id(), conversation_id, number, f"bulk-{digits}", at)
    return conversation_id


async def known(kernel: Kernel, ingest: Ingest, number: UUID, digits: str) -> None:
    """Have had a conversation with a customer at noon."""
    await deliver(ingest, number, text(f"first-{digits}", "hello", phone(digits)))
    await kernel.db.execute(CLOSE, phone(digits).value)


async def told(kernel: Kernel, conversation_id: UUID) -> list[str]:
    rows = await kernel.db.fetch("SELECT type FROM events WHERE conversation_id = $1 ORDER BY seq", conversation_id)
    return [row["type"] for row in rows]


async def row_of(kernel: Kernel, conversation_id: UUID) -> Row:
    row = await kernel.db.fetch_row("SELECT * FROM conversations WHERE id = $1", conversation_id)
    assert row is not None
    return row


class TestWhatComesIn:
    async def test_only_an_answer_wakes_it(self, kernel: Kernel, ingest: Ingest, number: UUID) -> None:
        answer, after, before = {"seconds": 7200}, {"seconds": 7260}, {"seconds": -5}
        ours: dict[str, Any] = {"direction": Direction.OUTBOUND, **answer}
        arrived = ["message:new", "conversation:updated"]
        cases: dict[str, tuple[Any, datetime | None, list[str]]] = {
            "an answer": (lambda me, n: [text(f"a{n}", "yes", me, **answer)], NOON + timedelta(hours=2), arrived),
            "two answers, the later first": (
                lambda me, n: [text(f"a{n}", "?", me, **after), text(f"b{n}", "yes", me, **answer)],
                NOON + timedelta(hours=2),
                ["message:new", *arrived],
            ),
            "an answer from before the campaign": (
                lambda me, n: [text(f"a{n}", "yes", me, seconds=1800)],
                NOON + timedelta(minutes=30),
                arrived,
            ),
            "the owner's phone": (lambda me, n: [text(f"a{n}", "hi", me, **ours)], None, arrived),
            "what opens nothing": (lambda me, n: [text(f"a{n}", "a vote", me, opens=False, **answer)], None, arrived),
            "what is late for the closed one": (lambda me, n: [text(f"a{n}", "late", me, **before)], None, []),
            "what is there already": (lambda me, n: [text(f"first-{n}", "hello", me)], None, []),
            "a reaction": (
                lambda me, n: [ReactionChanged(f"bulk-{n}", "👍", CAMPAIGN, False, (me,))],
                None,
                ["message:updated"],
            ),
            "a receipt": (
                lambda me, n: [StatusChanged(f"bulk-{n}", Status.READ, CAMPAIGN)],
                None,
                ["message:updated"],
            ),
        }
        for place, (name, (made, opened_at, expected)) in enumerate(cases.items()):
            digits = f"55119888801{place:02}"
            await known(kernel, ingest, number, digits)
            conversation_id = await asleep(kernel, number, digits)
            arriving: Sequence[Event] = made(phone(digits), digits)
            for _ in range(2):  # webhooks come twice
                await deliver(ingest, number, *arriving)
            row = await row_of(kernel, conversation_id)
            woken = opened_at is not None
            assert (row["status"], row["opened_at"]) == (("queued", opened_at) if woken else ("dormant", CAMPAIGN)), (
                name
            )
            assert (row["first_reply_at"] is None) is woken, name
            assert await told(kernel, conversation_id) == [*(["conversation:new"] if woken else []), *expected], name

    async def test_an_answered_one_is_like_any_other(self, kernel: Kernel, ingest: Ingest, number: UUID) -> None:
        await known(kernel, ingest, number, "5511988880199")
        conversation_id = await asleep(kernel, number, "5511988880199")
        for place in range(3):
            await deliver(ingest, number, text(f"a{place}", "yes", phone("5511988880199"), seconds=7200 + place))
        row = await row_of(kernel, conversation_id)
        assert (row["unread_count"], row["opened_at"]) == (3, NOON + timedelta(hours=2))
        assert (await told(kernel, conversation_id)).count("conversation:new") == 1


MERGES = [  # of who is kept, of who is lost, what it becomes, and whose opening counts
    ("dormant", "dormant", "dormant", 0),
    ("dormant", "queued", "queued", 1),
    ("dormant", "assigned", "assigned", 1),
    ("queued", "dormant", "queued", 0),
    ("assigned", "dormant", "assigned", 0),
    ("queued", "assigned", "assigned", 0),
    ("assigned", "queued", "assigned", 0),
    ("queued", "queued", "queued", 0),
]
USER = "INSERT INTO users (id, name, email, role, password_hash) VALUES ($1, 'Ana', 'ana@example.com', 'OPERATOR', '')"


async def test_of_two_people_who_are_one_the_more_open_conversation_counts(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    user, times = new_id(), [CAMPAIGN, CAMPAIGN + timedelta(hours=1)]
    await kernel.db.execute(USER, user)
    for place, case in enumerate(MERGES):
        *statuses, becomes, opened = case
        people = [f"5511988880{digit}{place:02}" for digit in (4, 5)]
        pair = []
        for digits, status, at in zip(people, statuses, times, strict=True):
            await known(kernel, ingest, number, digits)
            pair.append(await asleep(kernel, number, digits, at))
            owner = user if status == "assigned" else None
            await kernel.db.execute(
                "UPDATE conversations SET status = $2, assigned_to = $3 WHERE id = $1", pair[-1], status, owner
            )
        contacts = [(await row_of(kernel, one))["contact_id"] for one in pair]
        async with kernel.db.transaction() as uow:
            await editing.merge_contacts(uow, contacts)
        row, gone = [await row_of(kernel, one) for one in pair]
        owner = user if becomes == "assigned" else None
        assert (row["status"], row["assigned_to"], row["opened_at"]) == (becomes, owner, times[opened]), case
        assert (gone["status"], gone["merged_into"]) == ("closed", row["id"]), case
        assert await kernel.db.fetch_value("SELECT count(*) FROM messages WHERE conversation_id = $1", row["id"]) == 2
        assert ("conversation:closed" in await told(kernel, gone["id"])) is (statuses[1] != "dormant"), case


async def test_opening_one_and_saying_no_at_once_do_not_wait_for_each_other(
    kernel: Kernel, ingest: Ingest, number: UUID
) -> None:
    await known(kernel, ingest, number, "5511988880601")
    conversation_id = await asleep(kernel, number, "5511988880601")
    contact_id = (await row_of(kernel, conversation_id))["contact_id"]
    async with kernel.db.transaction() as opening, kernel.db.transaction() as answering, asyncio.timeout(10):
        assert await hold_contact(opening, contact_id) == contact_id
        await answering.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", conversation_id)
        await set_consents(answering, [(contact_id, False, CAMPAIGN)])
        await marking.mark_unreachable(answering, [contact_id], "gone", CAMPAIGN)


@pytest.fixture
async def number_of_shop(admin: ApiClient) -> UUID:
    return await add_number(admin)


class World:
    """A desk with dormant conversations, each of a customer of its own who was known before."""

    def __init__(self, server: RunningServer, number: UUID, tabulation: str) -> None:
        self.server = server
        self.number = number
        self.tabulation = tabulation
        self._made = 0

    async def sleeper(self) -> tuple[str, str, str]:
        """Make one; return the ids of its contact, of the conversation before, and its own."""
        self._made += 1
        digits, now = f"55119888803{self._made:02}", self.server.kernel.now()
        before = await customer_writes(self.server, self.number, digits, at=now - timedelta(hours=2))
        await self.server.kernel.db.execute(CLOSE, phone(digits).value)
        asleep_id = await asleep(self.server.kernel, self.number, digits, now - timedelta(hours=1))
        row = await row_of(self.server.kernel, asleep_id)
        self.digits = digits
        return str(row["contact_id"]), str(before), str(asleep_id)

    async def row(self, conversation: str) -> Row:
        return await row_of(self.server.kernel, UUID(conversation))


async def test_the_desk(server: RunningServer, admin: ApiClient, operator: ApiClient, number_of_shop: UUID) -> None:
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    world = World(server, number_of_shop, tabulation)
    async with log_in_as(server, "SUPERVISOR") as supervisor:
        await nobody_but_who_sees_all_sees_it(world, operator, supervisor)
        await supervisors_give_and_close_it(world, operator, supervisor)
        await whoever_opens_one_gets_it(world, operator)
        await whoever_reopens_takes_it_in(world, operator, supervisor)
        await its_customer_can_be_erased(world, admin)
        await two_at_once(world, supervisor, operator)


async def nobody_but_who_sees_all_sees_it(world: World, operator: ApiClient, supervisor: ApiClient) -> None:
    _, before, one = await world.sleeper()

    async def listed(client: ApiClient, **query: str) -> list[str]:
        return [item["id"] for item in (await client.get("/api/conversations", params=query)).json()["items"]]

    assert await listed(supervisor) == [before]
    assert await listed(supervisor, status="dormant") == [one]
    assert await listed(supervisor, status="dormant,closed") == [one, before]
    assert await listed(supervisor, status="dormant", search=world.digits) == [one]
    assert await listed(supervisor, status="dormant", assignedTo="none") == [one]
    assert await listed(operator, status="dormant") == []
    paths = [f"/api/conversations/{one}", f"/api/messages/conversation/{one}", f"/api/conversations/{one}/history"]
    for path in paths:
        assert ((await supervisor.get(path)).status_code, (await operator.get(path)).status_code) == (200, 404)
    sending = {"conversationId": one, "text": "hi"}
    assert (await operator.post("/api/messages/send", sending)).status_code == 404
    assert (await operator.post(f"/api/conversations/{one}/assign")).status_code == 404
    assert (await operator.post(f"/api/conversations/{one}/read")).status_code == 404
    assert (await supervisor.post("/api/messages/send", sending)).status_code == 201
    assert (await world.row(one))["status"] == "dormant"


async def supervisors_give_and_close_it(world: World, operator: ApiClient, supervisor: ApiClient) -> None:
    somebody = {"userId": operator.user["id"]}
    acts: list[tuple[str, dict[str, Any] | None, str]] = [
        ("assign", somebody, "assigned"),
        ("assign", None, "assigned"),
        ("transfer", somebody, "assigned"),
        ("transfer", {"queue": True}, "queued"),
        ("release", None, "queued"),
        ("tags", {"tags": ["vip"]}, "dormant"),
        ("close", {"tabulationId": world.tabulation}, "closed"),
    ]
    for act, body, becomes in acts:
        _, _, one = await world.sleeper()
        before = await world.row(one)
        answer = await supervisor.post(f"/api/conversations/{one}/{act}", body)
        assert answer.status_code == 200, (act, answer.text)
        row = await world.row(one)
        is_awake = becomes in ("assigned", "queued")
        assert (row["status"], row["opened_at"] > before["opened_at"]) == (becomes, is_awake), act
        assert (row["first_reply_at"] is None) is is_awake, act
        expected = {"closed": ["conversation:closed"], "dormant": ["conversation:updated"]}
        heard = await told(world.server.kernel, UUID(one))
        assert heard == expected.get(becomes, ["conversation:new", "conversation:updated"]), act
    answer = await supervisor.post(f"/api/conversations/{one}/reopen", {"queue": True})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def whoever_opens_one_gets_it(world: World, operator: ApiClient) -> None:
    for mine, becomes in ((True, "assigned"), (False, "queued")):
        contact, _, one = await world.sleeper()
        slept = (await world.row(one))["opened_at"]
        body = {"contactId": contact, "serviceInstanceId": str(world.number), "assignToMe": mine}
        answer = await operator.post("/api/conversations", body)
        assert answer.status_code == 201, answer.text
        shown = answer.json()
        assert (shown["id"], shown["status"]) == (one, becomes)
        assert (await world.row(one))["opened_at"] > slept
        assert await told(world.server.kernel, UUID(one)) == ["conversation:new", "conversation:updated"]
        again = await operator.post("/api/conversations", body)
        assert (again.status_code, again.json()["code"]) == (409, "conversation_already_open")


async def whoever_reopens_takes_it_in(world: World, operator: ApiClient, supervisor: ApiClient) -> None:
    _, before, one = await world.sleeper()
    refused = await supervisor.post(f"/api/conversations/{one}/reopen")
    assert (refused.status_code, refused.json()["code"]) == (409, "conversation_already_open")
    answer = await supervisor.post(f"/api/conversations/{before}/reopen", {"queue": True})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    gone, kept = await world.row(one), await world.row(before)
    assert (gone["status"], gone["merged_into"]) == ("closed", UUID(before))
    assert kept["opened_at"] < gone["opened_at"]
    messages = (await supervisor.get(f"/api/messages/conversation/{before}")).json()["items"]
    assert [message["text"] for message in messages] == ["Big sale!", "hello"]
    assert (await supervisor.get("/api/conversations", params={"status": "dormant", "search": world.digits})).json()[
        "items"
    ] == []


async def its_customer_can_be_erased(world: World, admin: ApiClient) -> None:
    contact, _, one = await world.sleeper()
    assert (await admin.delete(f"/api/contacts/{contact}?erase=true")).status_code == 204
    row = await world.row(one)
    assert (row["status"], row["closed_at"] is None) == ("closed", False)


async def two_at_once(world: World, supervisor: ApiClient, operator: ApiClient) -> None:
    for act in ("assign", "open", "reopen"):
        contact, before, one = await world.sleeper()
        opening = {"contactId": contact, "serviceInstanceId": str(world.number)}
        client, path, body = {
            "assign": (supervisor, f"/api/conversations/{one}/assign", None),
            "open": (operator, "/api/conversations", opening),
            "reopen": (supervisor, f"/api/conversations/{before}/reopen", None),
        }[act]
        answers = customer_writes(world.server, world.number, world.digits, "yes")
        _, answer = await asyncio.gather(answers, client.post(path, body))
        assert answer.status_code in (200, 201, 409), answer.text
        sql = "SELECT status FROM conversations WHERE contact_id = $1 AND status <> 'closed'"
        [row] = await world.server.kernel.db.fetch(sql, UUID(contact))
        assert row["status"] in ("queued", "assigned"), act


async def test_sockets(server: RunningServer, admin: ApiClient, operator: ApiClient, number_of_shop: UUID) -> None:
    world = World(server, number_of_shop, "")
    _, _, one = await world.sleeper()
    _, _, withdrawn_from = await world.sleeper()
    async with (
        socket_to(server, admin.token) as plain,
        socket_to(server, admin.token) as asking,
        socket_to(server, admin.token) as looking,
        socket_to(server, operator.token) as operators,
    ):
        await plain.do("inbox:subscribe")
        await operators.do("inbox:subscribe")
        await asking.do("inbox:subscribe", {"filter": {"status": ["dormant"]}})
        await looking.do("conversation:join", {"conversationId": one})
        assert (await operators.ask("conversation:join", {"conversationId": one}))["event"] == "error"

        await admin.post(f"/api/conversations/{one}/tags", {"tags": ["vip"]})
        await withdraw(server, withdrawn_from)
        for socket in (asking, looking):
            assert (await socket.next("conversation:updated"))["data"]["status"] == "dormant"
        told_of = (await asking.next("message:withdrawn"))["data"]
        assert told_of == {"id": told_of["id"], "conversationId": withdrawn_from}

        await customer_writes(server, world.number, world.digits, "yes")  # the second wakes
        await admin.post(f"/api/conversations/{one}/assign")
        for socket in (plain, asking):
            await socket.until(partial(is_assigned, socket, one))
        assert last_of(asking, withdrawn_from) == "queued", "a list of dormant ones learns who left it"
        assert "dormant" not in {frame.get("data", {}).get("status") for frame in plain.frames + operators.frames}
        assert not plain.all("message:withdrawn") and not operators.all("message:withdrawn")
        assert (await operators.next("conversation:new"))["data"]["id"] == withdrawn_from
        assert one not in new_to(operators)


async def withdraw(server: RunningServer, conversation: str) -> None:
    """Tell that a message of a conversation was withdrawn: its row is gone."""
    message_id, conversation_id = new_id(), UUID(conversation)
    data = {"id": str(message_id), "conversationId": conversation}
    async with server.kernel.db.transaction() as uow:
        await events.record(uow, [Change("message:withdrawn", message_id, conversation_id, data)])


def new_to(socket: SocketClient) -> set[str]:
    return {frame["data"]["id"] for frame in socket.all("conversation:new")}


def is_assigned(socket: SocketClient, conversation: str) -> bool:
    return last_of(socket, conversation) == "assigned"


def last_of(socket: SocketClient, conversation: str) -> str | None:
    """Return the status of a conversation as a socket heard of it last."""
    told = [frame["data"] for frame in socket.all("conversation:updated") if frame["data"]["id"] == conversation]
    return told[-1]["status"] if told else None
