"""Closing needs a reason; the customer's next message opens a new conversation; reopening keeps there one open."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from elsehu.plugin import Closing, FieldError, NoConfig, PluginInfo, Refusal, hookimpl
from elsehu.plugins import installed, load_plugins
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import Conversation, closed, events_of, history, taken

MARIA = "5511988887777"


async def demanding(admin: ApiClient, *fields: Any) -> str:
    """Return the id of a new tabulation that demands `fields`."""
    answer = await admin.post("/api/tabulations", {"name": f"Sold {uuid4()}", "requiredFields": list(fields)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_closed_conversation_keeps_its_operator_and_its_reason(
    server: RunningServer, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await taken(operator, await waiting())
    body = {"tabulationId": tabulation["id"], "notes": " all well ", "fields": {"order": 7}}
    answer = await operator.post(f"/api/conversations/{conversation}/close", body)
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["status"] == "closed"
    assert shown["closedAt"] is not None
    assert shown["assignedTo"]["id"] == operator.user["id"]
    assert shown["tabulation"] == {"id": tabulation["id"], "name": "Resolved"}
    latest = (await history(operator, conversation))[0]
    assert latest["action"] == "closed"
    assert latest["details"] == {"tabulation": shown["tabulation"], "notes": "all well", "fields": {"order": 7}}
    assert [kind for kind, _ in await events_of(server, conversation)][-1] == "conversation:closed"


@pytest.mark.parametrize("given", [None, "unknown", "inactive", "no id"])
async def test_without_a_tabulation_that_holds_it_stays_open(
    admin: ApiClient, operator: ApiClient, waiting: Conversation, given: str | None
) -> None:
    conversation = await taken(operator, await waiting())
    off = await demanding(admin)
    assert (await admin.patch(f"/api/tabulations/{off}", {"isActive": False})).status_code == 200
    ids: dict[str | None, Any] = {
        None: {},
        "unknown": {"tabulationId": str(uuid4())},
        "inactive": {"tabulationId": off},
        "no id": {"tabulationId": 7},
    }
    answer = await operator.post(f"/api/conversations/{conversation}/close", ids[given])
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["tabulationId"]
    assert (await operator.get(f"/api/conversations/{conversation}")).json()["status"] == "assigned"


async def test_the_fields_that_a_tabulation_demands(
    admin: ApiClient, operator: ApiClient, waiting: Conversation
) -> None:
    tabulation = await demanding(admin, "protocol", {"name": "amount", "label": "Amount"})
    conversation = await taken(operator, await waiting())
    lacking: list[dict[str, Any]] = [{}, {"protocol": "", "amount": None}, {"protocol": " \n", "amount": []}]
    for fields in lacking:
        body = {"tabulationId": tabulation, "fields": fields}
        answer = await operator.post(f"/api/conversations/{conversation}/close", body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["fields.protocol", "fields.amount"]
        assert "Amount" in answer.json()["detail"]
    body = {"tabulationId": tabulation, "fields": {"protocol": "A-1", "amount": 0, "more": [1]}}
    assert (await operator.post(f"/api/conversations/{conversation}/close", body)).status_code == 200


async def test_the_name_is_frozen(
    admin: ApiClient, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
    await admin.patch(f"/api/tabulations/{tabulation['id']}", {"name": "Solved"})
    shown = (await operator.get(f"/api/conversations/{conversation}")).json()
    assert shown["tabulation"]["name"] == "Resolved"


async def test_the_next_message_opens_a_new_conversation(
    server: RunningServer, number: UUID, operator: ApiClient, tabulation: dict[str, Any]
) -> None:
    first = str(await customer_writes(server, number, MARIA))
    await closed(operator, await taken(operator, first), tabulation)
    second = str(await customer_writes(server, number, MARIA, "one more thing"))
    assert second != first
    shown = (await operator.get(f"/api/conversations/{second}")).json()
    assert (shown["status"], shown["assignedTo"], shown["unreadCount"]) == ("queued", None, 1)
    assert (await operator.get(f"/api/conversations/{first}")).json()["status"] == "closed"


async def test_a_closed_conversation_cannot_be_closed(
    operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
    answer = await operator.post(f"/api/conversations/{conversation}/close", {"tabulationId": tabulation["id"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_closed")


async def test_a_supervisor_closes_what_waits(
    server: RunningServer, supervisor: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await closed(supervisor, await waiting(), tabulation)
    kind, data = (await events_of(server, conversation))[-1]
    assert kind == "conversation:closed"
    assert orjson.loads(data) == {"previousAssignee": None, "wasQueued": True}


async def test_what_was_accepted_before_still_leaves(
    server: RunningServer, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    conversation = await taken(operator, await waiting())
    body = {"conversationId": conversation, "text": "bye"}
    sent = (await operator.post("/api/messages/send", body)).json()
    await closed(operator, conversation, tabulation)
    async with asyncio.timeout(20):
        while (await operator.get(f"/api/messages/{sent['id']}")).json()["status"] in {"pending", "sending"}:
            await asyncio.sleep(0.02)
    answer = await operator.post("/api/messages/send", {**body, "text": "again"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_closed")


def ticking(server: RunningServer) -> Iterator[datetime]:
    """Yield times, each later than the one before: what is older than a closed conversation belongs there."""
    start = server.kernel.now()
    return (start + timedelta(milliseconds=tick) for tick in count())


async def test_closing_races_the_customer(
    server: RunningServer, number: UUID, operator: ApiClient, tabulation: dict[str, Any]
) -> None:
    """Every message is in one conversation, at most one of these is open, and what was closed stays closed."""
    ticks = ticking(server)
    for _ in range(8):
        current = await taken(operator, str(await customer_writes(server, number, MARIA, at=next(ticks))))
        _, *homes = await asyncio.gather(
            closed(operator, current, tabulation),
            *(customer_writes(server, number, MARIA, at=next(ticks)) for _ in range(5)),
        )
        rows = await server.kernel.db.fetch(
            "SELECT id FROM conversations WHERE instance_id = $1 AND status <> 'closed'", number
        )
        assert len(rows) <= 1
        assert {str(home) for home in homes} <= {current, *(str(row["id"]) for row in rows)}
        assert (await operator.get(f"/api/conversations/{current}")).json()["status"] == "closed"
        for row in rows:
            await closed(operator, await taken(operator, str(row["id"])), tabulation)


class TestReopening:
    """A closed conversation goes on, unless the customer has another one by now."""

    async def test_its_operator_takes_it_up_again(
        self, server: RunningServer, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
    ) -> None:
        conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
        answer = await operator.post(f"/api/conversations/{conversation}/reopen")
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["status"], shown["closedAt"], shown["tabulation"]) == ("assigned", None, None)
        assert shown["assignedTo"]["id"] == operator.user["id"]
        actions = [entry["action"] for entry in await history(operator, conversation)]
        assert actions == ["reopened", "closed", "assigned"]
        assert (await events_of(server, conversation))[-1][0] == "conversation:updated"

    async def test_it_can_go_to_the_queue(
        self, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
    ) -> None:
        conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
        answer = await operator.post(f"/api/conversations/{conversation}/reopen", {"queue": True})
        assert (answer.json()["status"], answer.json()["assignedTo"]) == ("queued", None)

    async def test_a_supervisor_takes_it_and_its_operator_loses_it(
        self,
        server: RunningServer,
        operator: ApiClient,
        supervisor: ApiClient,
        waiting: Conversation,
        tabulation: dict[str, Any],
    ) -> None:
        conversation = await closed(operator, await taken(operator, await waiting()), tabulation)
        answer = await supervisor.post(f"/api/conversations/{conversation}/reopen")
        assert answer.json()["assignedTo"]["id"] == supervisor.user["id"]
        assert (await operator.get(f"/api/conversations/{conversation}")).status_code == 404
        _, data = (await events_of(server, conversation))[-1]
        assert orjson.loads(data) == {"previousAssignee": operator.user["id"], "wasQueued": False}

    async def test_not_beside_another_one(
        self, server: RunningServer, number: UUID, operator: ApiClient, tabulation: dict[str, Any]
    ) -> None:
        first = str(await customer_writes(server, number, MARIA))
        await closed(operator, await taken(operator, first), tabulation)
        second = str(await customer_writes(server, number, MARIA, "hello again"))
        answer = await operator.post(f"/api/conversations/{first}/reopen")
        assert (answer.status_code, answer.json()["code"]) == (409, "conversation_already_open")
        assert answer.json()["conversationId"] == second
        assert (await operator.get(f"/api/conversations/{first}")).json()["status"] == "closed"

    async def test_not_what_is_open(self, operator: ApiClient, waiting: Conversation) -> None:
        conversation = await taken(operator, await waiting())
        answer = await operator.post(f"/api/conversations/{conversation}/reopen")
        assert (answer.status_code, answer.json()["code"]) == (409, "conversation_already_open")

    async def test_it_races_the_customer(
        self, server: RunningServer, number: UUID, operator: ApiClient, tabulation: dict[str, Any]
    ) -> None:
        """One of both is open in the end, and every message was taken."""
        ticks = ticking(server)
        for _ in range(8):
            current = await taken(operator, str(await customer_writes(server, number, MARIA, at=next(ticks))))
            await closed(operator, current, tabulation)
            answer, home = await asyncio.gather(
                operator.post(f"/api/conversations/{current}/reopen"),
                customer_writes(server, number, MARIA, at=next(ticks)),
            )
            rows = await server.kernel.db.fetch(
                "SELECT id FROM conversations WHERE instance_id = $1 AND status <> 'closed'", number
            )
            [is_open] = [row["id"] for row in rows]
            assert home == is_open
            assert answer.status_code == (200 if str(home) == current else 409)
            if str(home) != current:
                await taken(operator, str(is_open))
            await closed(operator, str(is_open), tabulation)


class Rules:
    """A plugin that wants a long note for what was not solved."""

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo("rules", "a rule in a test", config=NoConfig)

    @hookimpl
    def tabulation_rules(self, closing: Closing) -> Refusal | None:
        if closing.rule == "say why" and len(closing.notes or "") < 10:
            return Refusal("Say why it was not solved.", [FieldError("notes", "is too short")])
        return None


async def test_a_plugins_rule_refuses(
    server: RunningServer, admin: ApiClient, operator: ApiClient, waiting: Conversation
) -> None:
    server.kernel.plugins.loaded = [*server.kernel.plugins.loaded, loaded_rules(server)]
    tabulation = (await admin.post("/api/tabulations", {"name": "Unsolved", "rule": "say why"})).json()
    conversation = await taken(operator, await waiting())
    body = {"tabulationId": tabulation["id"], "notes": "no"}
    answer = await operator.post(f"/api/conversations/{conversation}/close", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "closing_refused")
    assert answer.json()["detail"] == "Say why it was not solved."
    assert answer.json()["errors"] == [{"field": "notes", "message": "is too short"}]
    body["notes"] = "he hung up before I could help"
    assert (await operator.post(f"/api/conversations/{conversation}/close", body)).status_code == 200


def loaded_rules(server: RunningServer) -> Any:
    """Return Rules as `load_plugins` loads it."""
    entry = SimpleNamespace(name="rules", value="tests", dist=None, load=Rules)
    storage = server.kernel.plugins.storage_name
    found: Any = {"rules": [entry], storage: installed()[storage]}
    settings = server.kernel.settings.model_copy(update={"plugins": {"enabled": ["rules", storage]}})
    return next(one for one in load_plugins(settings, found).loaded if one.info.name == "rules")


async def test_a_tabulation_demands_what_it_says(
    admin: ApiClient, supervisor: ApiClient, operator: ApiClient, waiting: Conversation, number: UUID
) -> None:
    other = await add_number(admin)
    body = {"name": "Sold", "notesRequired": True, "requiredFields": ["order"], "serviceInstanceIds": [str(number)]}
    sold = (await supervisor.post("/api/tabulations", body)).json()
    elsewhere = (await supervisor.post("/api/tabulations", {"name": "Else", "serviceInstanceIds": [str(other)]})).json()
    conversation = await taken(operator, await waiting())
    path = f"/api/conversations/{conversation}/close"
    answer = await operator.post(path, {"tabulationId": sold["id"], "notes": "  "})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["fields.order", "notes"]
    answer = await operator.post(path, {"tabulationId": elsewhere["id"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "closing_refused")
    assert [error["field"] for error in answer.json()["errors"]] == ["tabulationId"]
    usable = (await operator.get("/api/tabulations", params={"serviceInstanceId": str(number)})).json()["items"]
    assert [one["id"] for one in usable] == [sold["id"]]
    answer = await operator.post(path, {"tabulationId": sold["id"], "notes": "two", "fields": {"order": 7}})
    assert answer.status_code == 200
    changes = {"serviceInstanceIds": None, "notesRequired": False, "returnMinutes": 30}
    changed = (await supervisor.patch(f"/api/tabulations/{sold['id']}", changes)).json()
    assert {name: changed[name] for name in changes} == changes
    assert changed["requiredFields"] == sold["requiredFields"]
    for wrong, field in (
        ({"serviceInstanceIds": [str(uuid4())]}, "serviceInstanceIds.0"),
        ({"returnMinutes": 0}, "returnMinutes"),
    ):
        answer = await supervisor.patch(f"/api/tabulations/{sold['id']}", wrong)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
