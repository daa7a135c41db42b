"""Notes, tags and the timeline."""

from typing import Any
from uuid import UUID

import pytest

from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import Conversation, closed, events_of, history, taken


async def test_a_note_is_in_the_timeline(server: RunningServer, operator: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    answer = await operator.post(f"/api/conversations/{conversation}/notes", {"text": " VIP, be quick \n"})
    assert answer.status_code == 201
    assert answer.json()["details"] == {"text": "VIP, be quick"}
    assert await history(operator, conversation) == [answer.json()]
    assert (await events_of(server, conversation))[-1] == ("conversation:updated", None)


@pytest.mark.parametrize("text", ["", "  \n ", "a\0b", "x" * 8001, None, 7])
async def test_a_note_says_something(operator: ApiClient, waiting: Conversation, text: Any) -> None:
    answer = await operator.post(f"/api/conversations/{await waiting()}/notes", {"text": text})
    assert answer.status_code == 422


async def test_a_note_is_written_once(operator: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    for _ in range(2):
        answer = await operator.post(
            f"/api/conversations/{conversation}/notes", {"text": "once"}, headers={"Idempotency-Key": "n1"}
        )
        assert answer.status_code == 201
    assert len(await history(operator, conversation)) == 1


async def test_tags_are_replaced(server: RunningServer, operator: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    path = f"/api/conversations/{conversation}/tags"
    assert (await operator.post(path, {"tags": ["vip", "paid", "vip"]})).json()["tags"] == ["vip", "paid"]
    before = await events_of(server, conversation)
    assert (await operator.post(path, {"tags": ["vip", "paid"]})).json()["tags"] == ["vip", "paid"]
    assert await events_of(server, conversation) == before
    assert (await operator.post(path, {"tags": []})).json()["tags"] == []
    steps = [(entry["action"], entry["details"]) for entry in await history(operator, conversation)]
    assert steps == [("tags", {"tags": []}), ("tags", {"tags": ["vip", "paid"]})]


@pytest.mark.parametrize("tags", [None, "vip", [""], ["x" * 61], ["a\0"], [str(n) for n in range(51)]])
async def test_tags_that_are_none(operator: ApiClient, waiting: Conversation, tags: Any) -> None:
    answer = await operator.post(f"/api/conversations/{await waiting()}/tags", {"tags": tags})
    assert answer.status_code == 422


async def test_the_timeline_has_pages(operator: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    for number in range(7):
        await operator.post(f"/api/conversations/{conversation}/notes", {"text": str(number)})
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/api/conversations/{conversation}/history?limit=3" + (f"&cursor={cursor}" if cursor else "")
        page = (await operator.get(path)).json()
        assert len(page["items"]) <= 3
        seen += [entry["details"]["text"] for entry in page["items"]]
        cursor = page["nextCursor"]
        await operator.post(f"/api/conversations/{conversation}/notes", {"text": "later"})
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


async def test_the_whole_story(
    operator: ApiClient, colleague: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await taken(operator, await waiting())
    path = f"/api/conversations/{conversation}"
    await operator.post(f"{path}/transfer", {"userId": colleague.user["id"]})
    await colleague.post(f"{path}/release")
    await taken(operator, conversation)
    await closed(operator, conversation, tabulation)
    await operator.post(f"{path}/reopen")
    steps = [(entry["action"], entry["actor"]["name"]) for entry in await history(operator, conversation)]
    assert steps == [
        ("reopened", operator.user["name"]),
        ("closed", operator.user["name"]),
        ("assigned", operator.user["name"]),
        ("released", colleague.user["name"]),
        ("transferred", operator.user["name"]),
        ("assigned", operator.user["name"]),
    ]


async def test_what_became_part_of_another_keeps_its_story(
    server: RunningServer, admin: ApiClient, number: UUID
) -> None:
    ids = []
    for digits in ("5511988887771", "5511988887772", "5511988887773"):
        conversation = await customer_writes(server, number, digits)
        await admin.post(f"/api/conversations/{conversation}/notes", {"text": digits})
        ids.append(str(conversation))
    contacts = [(await admin.get(f"/api/conversations/{one}")).json()["contact"]["id"] for one in ids]
    for pair in ([contacts[1], contacts[2]], [contacts[0], contacts[1]]):
        assert (await admin.post("/api/contacts/merge", {"contactIds": pair})).status_code == 200
    told = [entry["details"]["text"] for entry in await history(admin, ids[0])]
    assert told == ["5511988887773", "5511988887772", "5511988887771"]
