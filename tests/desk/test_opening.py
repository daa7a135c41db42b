"""Writing first: one open conversation with a contact on a number, whoever else opens one at the same moment."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import closed, events_of, history, taken

MARIA = "5511988887777"


@pytest.fixture
async def maria(admin: ApiClient) -> str:
    """A contact's id."""
    answer = await admin.post("/api/contacts", {"name": "Maria", "phone": "+" + MARIA})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def opening(contact: str, number: UUID, **more: Any) -> dict[str, Any]:
    """Return the body of a request that opens a conversation."""
    return {"contactId": contact, "serviceInstanceId": str(number), **more}


async def test_it_waits_in_the_queue(server: RunningServer, operator: ApiClient, maria: str, number: UUID) -> None:
    answer = await operator.post("/api/conversations", opening(maria, number))
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["status"], shown["assignedTo"], shown["lastMessage"]) == ("queued", None, None)
    assert shown["contact"] == {"id": maria, "name": "Maria", "phone": "+" + MARIA}
    assert await events_of(server, shown["id"]) == [("conversation:new", None)]
    [entry] = await history(operator, shown["id"])
    assert (entry["action"], entry["details"], entry["actor"]["id"]) == ("opened", {"to": None}, operator.user["id"])


async def test_it_is_mine_if_i_say_so(operator: ApiClient, maria: str, number: UUID) -> None:
    shown = (await operator.post("/api/conversations", opening(maria, number, assignToMe=True))).json()
    assert (shown["status"], shown["assignedTo"]["id"]) == ("assigned", operator.user["id"])
    assert shown["assignedAt"] is not None
    sent = await operator.post("/api/messages/send", {"conversationId": shown["id"], "text": "good morning"})
    assert sent.status_code == 201


async def test_a_machine_has_none_of_its_own(admin: ApiClient, maria: str, number: UUID) -> None:
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": "OPERATOR"})).json()["key"]
    machine = {"authorization": f"Bearer {key}"}
    answer = await admin.post("/api/conversations", opening(maria, number, assignToMe=True), headers=machine)
    assert answer.status_code == 422
    assert (await admin.post("/api/conversations", opening(maria, number), headers=machine)).status_code == 201


async def test_what_is_not_there(admin: ApiClient, maria: str, number: UUID) -> None:
    for body in (opening(str(uuid4()), number), opening(maria, uuid4())):
        assert (await admin.post("/api/conversations", body)).status_code == 404


async def test_not_on_a_number_that_is_switched_off(admin: ApiClient, maria: str, number: UUID) -> None:
    await admin.delete(f"/api/service-instances/{number}")
    answer = await admin.post("/api/conversations", opening(maria, number))
    assert (answer.status_code, answer.json()["code"]) == (409, "instance_inactive")


async def test_not_with_who_has_no_address(admin: ApiClient, maria: str, number: UUID) -> None:
    await admin.delete(f"/api/contacts/{maria}?erase=true")
    answer = await admin.post("/api/conversations", opening(maria, number))
    assert (answer.status_code, answer.json()["code"]) == (409, "contact_unreachable")


async def test_not_beside_an_open_one(
    server: RunningServer, admin: ApiClient, operator: ApiClient, maria: str, number: UUID
) -> None:
    first = (await operator.post("/api/conversations", opening(maria, number))).json()["id"]
    answer = await operator.post("/api/conversations", opening(maria, number))
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_already_open")
    assert answer.json()["conversationId"] == first
    assert str(await customer_writes(server, number, MARIA)) == first
    other = await add_number(admin)
    assert (await operator.post("/api/conversations", opening(maria, other))).status_code == 201


async def test_again_after_closing(operator: ApiClient, maria: str, number: UUID, tabulation: dict[str, Any]) -> None:
    first = (await operator.post("/api/conversations", opening(maria, number, assignToMe=True))).json()["id"]
    await closed(operator, first, tabulation)
    again = await operator.post("/api/conversations", opening(maria, number))
    assert again.status_code == 201
    assert again.json()["id"] != first


async def test_once_with_an_idempotency_key(operator: ApiClient, maria: str, number: UUID) -> None:
    headers = {"Idempotency-Key": "o1"}
    first, second = [await operator.post("/api/conversations", opening(maria, number), headers=headers) for _ in "12"]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


async def test_the_service_window_outlives_a_closing(
    server: RunningServer, operator: ApiClient, number: UUID, tabulation: dict[str, Any]
) -> None:
    first = await customer_writes(server, number, MARIA)
    until = server.kernel.now() + timedelta(hours=20)
    await server.kernel.db.execute("UPDATE conversations SET window_expires_at = $2 WHERE id = $1", first, until)
    contact = (await closed_contact(operator, str(first), tabulation))["id"]
    shown = (await operator.post("/api/conversations", opening(contact, number))).json()
    assert shown["windowExpiresAt"] == (await operator.get(f"/api/conversations/{first}")).json()["windowExpiresAt"]
    assert shown["windowExpiresAt"] is not None


async def closed_contact(client: ApiClient, conversation: str, tabulation: dict[str, Any]) -> dict[str, Any]:
    """Take and close a conversation; return its contact."""
    await closed(client, await taken(client, conversation), tabulation)
    contact: dict[str, Any] = (await client.get(f"/api/conversations/{conversation}")).json()["contact"]
    return contact


async def test_it_races_the_customer_and_a_colleague(
    server: RunningServer, operator: ApiClient, supervisor: ApiClient, number: UUID
) -> None:
    """All of them end in one conversation."""
    for digits in (f"55119777766{place:02}" for place in range(8)):
        contact = (await operator.post("/api/contacts", {"name": "New", "phone": "+" + digits})).json()["id"]
        ours, theirs, home = await asyncio.gather(
            operator.post("/api/conversations", opening(contact, number)),
            supervisor.post("/api/conversations", opening(contact, number)),
            customer_writes(server, number, digits),
        )
        answers = (ours, theirs)
        ids = {answer.json().get("conversationId") or answer.json()["id"] for answer in answers}
        assert ids == {str(home)}
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert [answer.status_code for answer in answers].count(201) <= 1
