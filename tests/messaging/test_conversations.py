"""The conversation list, and reading: everybody sees what is his, in order, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

MARIA = "5511988887777"


@pytest.fixture
async def colleague(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "OPERATOR") as client:
        yield client


@pytest.fixture
async def supervisor(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "SUPERVISOR") as client:
        yield client


@dataclass(frozen=True)
class Desk:
    """Conversations by name, oldest activity first, each a second after the one before.

    `theirs` is the colleague's; `mine` and `my closed` the operator's; `nobody's closed` was closed from the
    queue; `queued` and `other number` wait.
    """

    ids: dict[str, str]
    number: UUID
    other_number: UUID
    tabulation: str

    def names(self, items: list[dict[str, Any]]) -> list[str]:
        """Return the names of listed conversations."""
        known = {conversation: name for name, conversation in self.ids.items()}
        return [known[one["id"]] for one in items]


@pytest.fixture
async def desk(server: RunningServer, admin: ApiClient, operator: ApiClient, colleague: ApiClient) -> Desk:
    number, other = await add_number(admin), await add_number(admin)
    start = server.kernel.now() - timedelta(minutes=1)
    ids: dict[str, str] = {}
    for place, name in enumerate(("my closed", "nobody's closed", "theirs", "mine", "queued", "other number")):
        digits, home = f"551198888000{place}", other if name == "other number" else number
        at = start + timedelta(seconds=place)
        ids[name] = str(await customer_writes(server, home, digits, name, at=at, sender_name=f"Customer {place}"))
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    for client, name in ((operator, "my closed"), (colleague, "theirs"), (operator, "mine")):
        assert (await client.post(f"/api/conversations/{ids[name]}/assign")).status_code == 200
    for name in ("my closed", "nobody's closed"):
        answer = await admin.post(f"/api/conversations/{ids[name]}/close", {"tabulationId": tabulation})
        assert answer.status_code == 200
    await operator.post(f"/api/conversations/{ids['mine']}/tags", {"tags": ["vip", "new"]})
    return Desk(ids, number, other, tabulation)


async def listed(client: ApiClient, desk: Desk, **query: Any) -> list[str]:
    """Return the names of what `client` is shown."""
    answer = await client.get("/api/conversations", params=query)
    assert answer.status_code == 200, answer.text
    return desk.names(answer.json()["items"])


EVERYTHING = ["other number", "queued", "mine", "theirs", "nobody's closed", "my closed"]


async def test_everybody_sees_what_is_his(
    operator: ApiClient, colleague: ApiClient, supervisor: ApiClient, admin: ApiClient, desk: Desk
) -> None:
    assert await listed(operator, desk) == ["other number", "queued", "mine", "my closed"]
    assert await listed(colleague, desk) == ["other number", "queued", "theirs"]
    assert await listed(supervisor, desk) == EVERYTHING
    assert await listed(admin, desk) == EVERYTHING


async def test_filters(operator: ApiClient, admin: ApiClient, desk: Desk) -> None:
    me, them = operator.user["id"], (await admin.get(f"/api/conversations/{desk.ids['theirs']}")).json()["assignedTo"]
    start = (await admin.get(f"/api/conversations/{desk.ids['theirs']}")).json()["lastMessage"]["at"]
    cases: list[tuple[dict[str, Any], list[str], list[str]]] = [
        ({"status": "queued"}, ["other number", "queued"], ["other number", "queued"]),
        ({"status": "assigned"}, ["mine", "theirs"], ["mine"]),
        ({"status": "closed"}, ["nobody's closed", "my closed"], ["my closed"]),
        ({"status": "closed,assigned"}, ["mine", "theirs", "nobody's closed", "my closed"], ["mine", "my closed"]),
        ({"status": "queued,assigned,closed"}, EVERYTHING, ["other number", "queued", "mine", "my closed"]),
        ({"assignedTo": "none"}, ["other number", "queued", "nobody's closed"], ["other number", "queued"]),
        ({"assignedTo": "none", "status": "closed"}, ["nobody's closed"], []),
        ({"assignedTo": "me"}, [], ["mine", "my closed"]),
        ({"assignedTo": me}, ["mine", "my closed"], ["mine", "my closed"]),
        ({"assignedTo": me, "status": "queued"}, [], []),
        ({"assignedTo": them["id"]}, ["theirs"], []),
        ({"assignedTo": str(uuid4())}, [], []),
        ({"serviceInstanceId": str(desk.other_number)}, ["other number"], ["other number"]),
        ({"serviceInstanceId": str(desk.number), "status": "queued"}, ["queued"], ["queued"]),
        ({"serviceInstanceId": str(uuid4())}, [], []),
        ({"tabulationId": desk.tabulation}, ["nobody's closed", "my closed"], ["my closed"]),
        ({"tabulationId": desk.tabulation, "status": "queued"}, [], []),
        ({"tag": "vip"}, ["mine"], ["mine"]),
        ({"tag": "vi"}, [], []),
        ({"search": "customer 4"}, ["queued"], ["queued"]),
        ({"search": "Cüstomer"}, EVERYTHING, ["other number", "queued", "mine", "my closed"]),
        ({"search": "(11) 8888-0002"}, ["theirs"], []),
        ({"search": "customer", "status": "assigned", "tag": "new"}, ["mine"], ["mine"]),
        ({"search": "nobody"}, [], []),
        ({"from": start}, ["other number", "queued", "mine", "theirs"], ["other number", "queued", "mine"]),
        ({"to": start}, ["nobody's closed", "my closed"], ["my closed"]),
        ({"from": start, "to": start}, [], []),
    ]
    for query, by_admin, by_operator in cases:
        assert await listed(admin, desk, **query) == by_admin, query
        assert await listed(operator, desk, **query) == by_operator, query


async def test_a_search_that_finds_very_many_contacts_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, operator: ApiClient, admin: ApiClient, desk: Desk
) -> None:
    monkeypatch.setattr("elsehu.messaging.conversations.listing.MOST_FOUND", 1)
    assert await listed(admin, desk, search="customer") == EVERYTHING
    assert await listed(operator, desk, search="customer", status="assigned") == ["mine"]
    assert await listed(admin, desk, search="customer 4") == ["queued"]
    assert await listed(admin, desk, search="8888") == EVERYTHING


async def test_what_it_cannot_read(operator: ApiClient, desk: Desk) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"status": "open"}, "status"),
        ({"status": "queued,"}, "status"),
        ({"status": ""}, "status"),
        ({"assignedTo": "bob"}, "assignedTo"),
        ({"serviceInstanceId": "1"}, "serviceInstanceId"),
        ({"tabulationId": "1"}, "tabulationId"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "to"),
        ({"tag": ""}, "tag"),
        ({"search": "a\0"}, "search"),
        ({"limit": 1000}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIjAxYTIwOTUwLTU0YmUtNzNmYi1iMjFiLWI2ZmJjNjIxNTVmZiJd"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ]
    for query, field in refused:
        answer = await operator.get("/api/conversations", params=query)
        assert answer.status_code == 422, query
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_pages_are_whole_and_in_order(operator: ApiClient, admin: ApiClient, desk: Desk) -> None:
    for client, expected in ((admin, EVERYTHING), (operator, ["other number", "queued", "mine", "my closed"])):
        for limit in (1, 2, 5, 6):
            seen: list[str] = []
            query: dict[str, Any] = {"limit": limit, "search": "customer"}
            while "cursor" not in query or query["cursor"] is not None:
                page = (await client.get("/api/conversations", params=query)).json()
                assert len(page["items"]) <= limit
                seen += desk.names(page["items"])
                query["cursor"] = page["nextCursor"]
            assert seen == expected


async def test_of_one_moment_none_is_lost_between_pages(server: RunningServer, admin: ApiClient, desk: Desk) -> None:
    await server.kernel.db.execute("UPDATE conversations SET last_activity_at = '2026-01-01 00:00:00.123456+00'")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while "cursor" not in query or query["cursor"] is not None:
        page = (await admin.get("/api/conversations", params=query)).json()
        seen += desk.names(page["items"])
        query["cursor"] = page["nextCursor"]
    assert sorted(seen) == sorted(EVERYTHING)


async def test_a_message_brings_it_to_the_top(server: RunningServer, operator: ApiClient, desk: Desk) -> None:
    await customer_writes(server, desk.number, "5511988880003", "x" * 300)
    [first, *_] = (await operator.get("/api/conversations")).json()["items"]
    assert first["id"] == desk.ids["mine"]
    assert first["unreadCount"] == 2
    assert first["lastMessage"] == {
        "kind": "text", "preview": "x" * 120, "direction": "INBOUND", "at": first["lastMessage"]["at"],
    }  # fmt: skip
    assert (await operator.get(f"/api/conversations/{desk.ids['mine']}")).json() == first


async def test_a_conversation_that_became_part_of_another_is_hidden(
    server: RunningServer, admin: ApiClient, desk: Desk
) -> None:
    contacts = [
        (await admin.get(f"/api/conversations/{desk.ids[name]}")).json()["contact"]["id"] for name in ("mine", "queued")
    ]
    assert (await admin.post("/api/contacts/merge", {"contactIds": contacts})).status_code == 200
    assert await listed(admin, desk) == ["other number", "mine", "theirs", "nobody's closed", "my closed"]
    answer = await admin.post(f"/api/conversations/{desk.ids['queued']}/reopen")
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_merged")
    assert answer.json()["conversationId"] == desk.ids["mine"]


async def test_a_machine_has_none_of_its_own(admin: ApiClient, desk: Desk) -> None:
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": "OPERATOR"})).json()["key"]
    machine = {"authorization": f"Bearer {key}"}
    answer = await admin.get("/api/conversations?assignedTo=me", headers=machine)
    assert answer.status_code == 422
    page = (await admin.get("/api/conversations", headers=machine)).json()
    assert desk.names(page["items"]) == ["other number", "queued"]


class TestOperatorsWhoSeeAll:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"desk": {"operators_see_all": True}}

    async def test_they_see_everything(self, operator: ApiClient, desk: Desk) -> None:
        assert await listed(operator, desk) == EVERYTHING
        assert await listed(operator, desk, assignedTo="me") == ["mine", "my closed"]


class TestReading:
    """Nothing is unread any more, and the customer is shown so."""

    async def test_it_is_told_once(self, server: RunningServer, operator: ApiClient, desk: Desk) -> None:
        path = f"/api/conversations/{desk.ids['mine']}"
        told = "SELECT count(*) FROM events WHERE type = 'conversation:updated' AND subject_id = $1"
        before = await server.kernel.db.fetch_value(told, UUID(desk.ids["mine"]))
        for _ in range(2):
            answer = await operator.post(f"{path}/read")
            assert (answer.status_code, answer.json()["unreadCount"]) == (200, 0)
            assert (await operator.get(path)).json() == answer.json()
            assert await server.kernel.db.fetch_value(told, UUID(desk.ids["mine"])) == before + 1

    async def test_the_provider_shows_it(
        self, server: RunningServer, operator: ApiClient, desk: Desk, tmp_path: Path
    ) -> None:
        """The sandbox's phone notes what it was told: the messages that were unread, oldest first."""
        for place in range(3):
            at = server.kernel.now() + timedelta(seconds=place)
            await customer_writes(server, desk.number, "5511988880003", at=at, external_id=f"EXT-{place}")
        await operator.post(f"/api/conversations/{desk.ids['mine']}/read")
        marked = await noted(tmp_path)
        assert marked[-3:] == ["EXT-0", "EXT-1", "EXT-2"]
        assert len(marked) == 4
        await customer_writes(
            server, desk.number, "5511988880003", at=server.kernel.now() + timedelta(seconds=9), external_id="EXT-9"
        )
        await operator.post(f"/api/conversations/{desk.ids['mine']}/read")
        assert await noted(tmp_path, after=1) == ["EXT-9"]

    async def test_a_provider_that_fails_stops_nothing(
        self, monkeypatch: pytest.MonkeyPatch, server: RunningServer, operator: ApiClient, desk: Desk
    ) -> None:
        asked = asyncio.Event()
        errors: list[Exception] = [RuntimeError("a bug"), TimeoutError("slow"), RuntimeError("again")] * 3

        async def fails(*_: Any) -> None:
            if not errors:
                asked.set()
                return
            raise errors.pop()

        monkeypatch.setattr(type(server.kernel.plugins), "mark_read", fails)
        async with asyncio.timeout(20):
            while not asked.is_set():
                await customer_writes(server, desk.number, "5511988880003")
                assert (await operator.post(f"/api/conversations/{desk.ids['mine']}/read")).status_code == 200


async def noted(folder: Path, after: int = 0) -> list[str]:
    """Return the ids of the receipt number `after` that a sandbox phone under `folder` was told of."""
    async with asyncio.timeout(20):
        while True:
            lines = [
                orjson.loads(line)
                for file in sorted(folder.rglob("*"))
                if file.is_file() and "sandbox" in str(file)
                for line in file.read_bytes().splitlines()
                if b"marked_read" in line
            ]
            if len(lines) > after:
                ids: list[str] = lines[after]["ids"]
                return ids
            await asyncio.sleep(0.02)
