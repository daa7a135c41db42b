"""Saying what became of a message, and sending it again: for whoever may answer in its conversation."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.message import RANK, Status
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

SAY = {"from": {"phone": "+5511988887777"}, "text": "hello"}


@pytest.fixture
async def other(server: RunningServer) -> AsyncIterator[ApiClient]:
    async with log_in_as(server, "OPERATOR") as client:
        yield client


@pytest.fixture
async def message(server: RunningServer, admin: ApiClient, operator: ApiClient) -> dict[str, Any]:
    """A message of `operator`, who has given the conversation back to the queue."""
    silent = {"delays": {"deliveredSeconds": None, "readSeconds": None}}
    number = {"name": "Shop", "phone": "+5511955550000", "provider": "sandbox", "credentials": {}, "settings": silent}
    instance = (await admin.post("/api/service-instances", number)).json()
    assert (await admin.post(f"/api/sandbox/{instance['id']}/say", SAY)).status_code == 201
    conversation_id = (await admin.get("/api/conversations")).json()["items"][0]["id"]
    assert (await operator.post(f"/api/conversations/{conversation_id}/assign", {})).status_code == 200
    sent = await operator.post("/api/messages/send", {"conversationId": conversation_id, "text": "hi"})
    assert sent.status_code == 201, sent.text
    found: dict[str, Any] = sent.json()
    return found


async def becomes(kernel: Kernel, message: dict[str, Any], status: Status) -> None:
    await kernel.db.execute(
        "UPDATE messages SET status = $2, status_rank = $3 WHERE id = $1", UUID(message["id"]), status, RANK[status]
    )


@pytest.mark.parametrize(
    ("status", "verb", "body"),
    [(Status.FAILED, "retry", None), (Status.UNCONFIRMED, "resolve", {"outcome": "failed"})],
    ids=["retry", "resolve"],
)
async def test_only_who_may_answer_there(
    server: RunningServer,
    operator: ApiClient,
    other: ApiClient,
    message: dict[str, Any],
    status: Status,
    verb: str,
    body: dict[str, str] | None,
) -> None:
    await operator.post(f"/api/conversations/{message['conversationId']}/release", {})
    await becomes(server.kernel, message, status)
    path = f"/api/messages/{message['id']}/{verb}"
    for who in (operator, other):
        refused = await who.post(path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_conversation")
    await other.post(f"/api/conversations/{message['conversationId']}/assign", {})
    assert (await other.post(path, body)).status_code == 200
    assert (await other.post(path, body)).status_code == 409
