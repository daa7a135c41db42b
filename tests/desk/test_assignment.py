"""Taking, handing on and giving back: one owner at a time, and everybody is told who loses sight."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

from .conftest import Conversation, closed, events_of, history, taken


async def test_an_operator_takes_a_queued_conversation(operator: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    answer = await operator.post(f"/api/conversations/{conversation}/assign")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["status"] == "assigned"
    assert shown["assignedTo"] == {"id": operator.user["id"], "name": operator.user["name"]}
    assert shown["assignedAt"] is not None
    assert (await operator.get(f"/api/conversations/{conversation}")).json() == shown


async def test_taking_again_what_is_mine_changes_nothing(
    server: RunningServer, operator: ApiClient, waiting: Conversation
) -> None:
    conversation = await taken(operator, await waiting())
    before = (await operator.get(f"/api/conversations/{conversation}")).json(), await events_of(server, conversation)
    await taken(operator, conversation)
    after = (await operator.get(f"/api/conversations/{conversation}")).json(), await events_of(server, conversation)
    assert after == before
    assert [entry["action"] for entry in await history(operator, conversation)] == ["assigned"]


async def test_an_operator_takes_nothing_for_a_colleague(
    operator: ApiClient, colleague: ApiClient, waiting: Conversation
) -> None:
    conversation = await waiting()
    answer = await operator.post(f"/api/conversations/{conversation}/assign", {"userId": colleague.user["id"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await operator.get(f"/api/conversations/{conversation}")).json()["status"] == "queued"


async def test_a_supervisor_gives_a_conversation_to_anybody_active(
    supervisor: ApiClient, operator: ApiClient, waiting: Conversation
) -> None:
    conversation = await waiting()
    answer = await supervisor.post(f"/api/conversations/{conversation}/assign", {"userId": operator.user["id"]})
    assert answer.json()["assignedTo"]["id"] == operator.user["id"]
    [entry] = await history(operator, conversation)
    assert entry["action"] == "assigned"
    assert entry["actor"] == {"id": supervisor.user["id"], "name": supervisor.user["name"]}
    assert entry["details"] == {"to": {"id": operator.user["id"], "name": operator.user["name"]}}


async def test_nobody_gives_to_who_is_not_active(admin: ApiClient, colleague: ApiClient, waiting: Conversation) -> None:
    conversation = await waiting()
    await admin.post(f"/api/users/{colleague.user['id']}/deactivate")
    for verb in ("assign", "transfer"):
        for user in (colleague.user["id"], str(uuid4())):
            answer = await admin.post(f"/api/conversations/{conversation}/{verb}", {"userId": user})
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == ["userId"]


async def test_who_comes_second_is_told_who_was_faster(
    supervisor: ApiClient, operator: ApiClient, waiting: Conversation
) -> None:
    conversation = await taken(operator, await waiting())
    answer = await supervisor.post(f"/api/conversations/{conversation}/assign")
    assert (answer.status_code, answer.json()["code"]) == (409, "already_assigned")
    assert answer.json()["assignedTo"] == {"id": operator.user["id"], "name": operator.user["name"]}


class TestManyAtOnce:
    """Fifty operators who all see it in the queue press the button together."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"database": {"pool_max": 60}}

    async def test_one_wins_and_the_others_are_told(
        self, server: RunningServer, admin: ApiClient, waiting: Conversation
    ) -> None:
        conversation = await waiting()
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(log_in_as(server, "OPERATOR")) for _ in range(50)]
            async with server.kernel.db.transaction() as uow:
                await uow.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", UUID(conversation))
                pressed = [asyncio.create_task(one.post(f"/api/conversations/{conversation}/assign")) for one in people]
                await all_wait(server, 50)
            answers = await asyncio.gather(*pressed)
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] + [409] * 49
        winner = (await admin.get(f"/api/conversations/{conversation}")).json()["assignedTo"]
        losers = [answer.json() for answer in answers if answer.status_code == 409]
        assert {loser["code"] for loser in losers} == {"already_assigned"}
        assert all(loser["assignedTo"] == winner for loser in losers)
        assert [entry["action"] for entry in await history(admin, conversation)] == ["assigned"]

    async def test_without_any_order_one_wins(
        self, server: RunningServer, admin: ApiClient, waiting: Conversation
    ) -> None:
        """Who comes after it is decided may see it no more: 404 instead of 409."""
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(log_in_as(server, "OPERATOR")) for _ in range(20)]
            for _ in range(5):
                conversation = await waiting()
                answers = await asyncio.gather(
                    *(one.post(f"/api/conversations/{conversation}/assign") for one in people)
                )
                statuses = sorted(answer.status_code for answer in answers)
                assert statuses[0] == 200
                assert set(statuses[1:]) <= {404, 409}
                assert [entry["action"] for entry in await history(admin, conversation)] == ["assigned"]


async def all_wait(server: RunningServer, count: int) -> None:
    """Return when `count` transactions wait for a row."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(120):
        while await server.kernel.db.fetch_value(waiting) < count:
            await asyncio.sleep(0.01)


async def test_an_operator_hands_his_conversation_on(
    server: RunningServer, operator: ApiClient, colleague: ApiClient, waiting: Conversation
) -> None:
    conversation = await taken(operator, await waiting())
    body = {"userId": colleague.user["id"], "reason": "speaks French"}
    answer = await operator.post(f"/api/conversations/{conversation}/transfer", body)
    assert answer.status_code == 200
    assert answer.json()["assignedTo"]["id"] == colleague.user["id"]
    assert (await operator.get(f"/api/conversations/{conversation}")).status_code == 404
    latest = (await history(colleague, conversation))[0]
    assert (latest["action"], latest["details"]["reason"]) == ("transferred", "speaks French")
    assert latest["details"]["from"]["id"] == operator.user["id"]
    assert latest["details"]["to"]["id"] == colleague.user["id"]
    kind, data = (await events_of(server, conversation))[-1]
    assert kind == "conversation:updated"
    assert orjson.loads(data) == {"previousAssignee": operator.user["id"], "wasQueued": False}


@pytest.mark.parametrize(("verb", "body"), [("transfer", {"queue": True}), ("release", None)])
async def test_an_operator_gives_his_conversation_back(
    operator: ApiClient, colleague: ApiClient, waiting: Conversation, verb: str, body: Any
) -> None:
    conversation = await taken(operator, await waiting())
    answer = await operator.post(f"/api/conversations/{conversation}/{verb}", body)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["status"], shown["assignedTo"], shown["assignedAt"]) == ("queued", None, None)
    assert (await history(operator, conversation))[0]["details"]["from"]["id"] == operator.user["id"]
    await taken(colleague, conversation)


@pytest.mark.parametrize(("verb", "body"), [("transfer", {"queue": True}), ("release", None), ("close", "any")])
async def test_what_is_queued_is_nobodys_to_hand_on(
    operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any], verb: str, body: Any
) -> None:
    conversation = await waiting()
    body = {"tabulationId": tabulation["id"]} if body == "any" else body
    answer = await operator.post(f"/api/conversations/{conversation}/{verb}", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_your_conversation")


@pytest.mark.parametrize(
    "body", [{}, {"userId": "01a20948-8fe2-71e0-9cf0-999ea0e12053", "queue": True}, {"queue": False}]
)
async def test_a_transfer_goes_to_one_place(admin: ApiClient, waiting: Conversation, body: dict[str, Any]) -> None:
    answer = await admin.post(f"/api/conversations/{await waiting()}/transfer", body)
    assert answer.status_code == 422


async def test_a_supervisor_moves_what_is_somebodys(
    supervisor: ApiClient, operator: ApiClient, colleague: ApiClient, waiting: Conversation
) -> None:
    conversation = await taken(operator, await waiting())
    answer = await supervisor.post(f"/api/conversations/{conversation}/transfer", {"userId": colleague.user["id"]})
    assert answer.json()["assignedTo"]["id"] == colleague.user["id"]
    assert (await supervisor.post(f"/api/conversations/{conversation}/release")).json()["status"] == "queued"


async def test_what_is_closed_cannot_be_moved(
    operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
    for verb, body in (("assign", None), ("transfer", {"queue": True}), ("release", None)):
        answer = await operator.post(f"/api/conversations/{conversation}/{verb}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conversation_closed"), verb


async def test_taking_tells_those_who_saw_the_queue(
    server: RunningServer, operator: ApiClient, waiting: Conversation
) -> None:
    conversation = await taken(operator, await waiting())
    kind, data = (await events_of(server, conversation))[-1]
    assert kind == "conversation:updated"
    assert orjson.loads(data) == {"previousAssignee": None, "wasQueued": True}


async def test_a_machine_must_say_for_whom(admin: ApiClient, operator: ApiClient, waiting: Conversation) -> None:
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": "SUPERVISOR"})).json()["key"]
    conversation = await waiting()
    machine = {"authorization": f"Bearer {key}"}
    answer = await admin.post(f"/api/conversations/{conversation}/assign", headers=machine)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["userId"]
    body = {"userId": operator.user["id"]}
    answer = await admin.post(f"/api/conversations/{conversation}/assign", body, headers=machine)
    assert answer.json()["assignedTo"]["id"] == operator.user["id"]
    assert (await history(admin, conversation))[0]["actor"] == {"id": None, "name": "bot"}


class TestOperatorsWhoSeeAll:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"desk": {"operators_see_all": True}}

    async def test_they_see_a_colleagues_conversation_but_cannot_move_it(
        self, operator: ApiClient, colleague: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
    ) -> None:
        conversation = await taken(operator, await waiting())
        assert (await colleague.get(f"/api/conversations/{conversation}")).status_code == 200
        answer = await colleague.post(f"/api/conversations/{conversation}/assign")
        assert (answer.status_code, answer.json()["code"]) == (409, "already_assigned")
        refused: list[tuple[str, Any]] = [
            ("transfer", {"queue": True}),
            ("release", None),
            ("close", {"tabulationId": tabulation["id"]}),
        ]
        for verb, body in refused:
            answer = await colleague.post(f"/api/conversations/{conversation}/{verb}", body)
            assert (answer.status_code, answer.json()["code"]) == (403, "not_your_conversation"), verb
