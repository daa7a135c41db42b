"""Closing many conversations: those that nobody goes on with, in slices, by order or by rule, each as if by hand."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from elsehu.contracts.errors import Invalid
from elsehu.contracts.user import Caller, Role
from elsehu.desk.stale import carrying_out, jobs, orders
from elsehu.desk.stale.schemas import CloseStale
from elsehu.desk.stale.selection import order_of
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.plugin import Closing, PluginInfo, Refusal, hookimpl
from elsehu.plugins import Plugins, installed, load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import events_of, history

PATH = "/api/conversations/close-stale"
CHIEF = Caller(Role.SUPERVISOR, None, "Chief")


@pytest.fixture
async def filled(kernel: Kernel) -> dict[str, UUID]:
    return await fill(kernel)


async def fill(kernel: Kernel) -> dict[str, UUID]:
    """Conversations by what is special about them: else they are idle for ten hours, and answered."""
    db, ids = kernel.db, {}
    ids["owner"], ids["number"], ids["other number"] = new_id(), new_id(), new_id()
    user = "INSERT INTO users (id, name, email, password_hash, role) VALUES ($1, 'Ana', $2, '', 'OPERATOR')"
    await db.execute(user, ids["owner"], f"{ids['owner']}@example.com")
    sealed = kernel.secrets.encrypt(b"{}")
    for name in ("number", "other number"):
        sql = """INSERT INTO service_instances (id, name, provider, is_active, status, credentials, state,
                 webhook_secret, settings) VALUES ($1, $2, 'sandbox', true, 'connected', $3, $3, $3, '{}')"""
        await db.execute(sql, ids[name], str(ids[name]), sealed)
    queued = {"status": "queued", "assigned_to": None}
    special: dict[str, dict[str, Any]] = {
        "assigned": {}, "queued": queued, "dormant": {**queued, "status": "dormant", "last_inbound_at": None},
        "fresh": {"hours": 1}, "unanswered": {"answered": False}, "elsewhere": {"instance_id": ids["other number"]},
        "tagged": {"tags": ["vip"]}, "closed": {"status": "closed"},
    }  # fmt: skip
    for name, more in special.items():
        ids[name] = await converse(kernel, ids, **more)
    return ids


async def converse(
    kernel: Kernel, ids: dict[str, UUID], *, hours: int = 10, answered: bool = True, **more: Any
) -> UUID:
    db, conversation, contact = kernel.db, new_id(), new_id()
    at = kernel.now() - timedelta(hours=hours)
    await db.execute("INSERT INTO contacts (id, name, tags, search_text) VALUES ($1, 'Maria', '{}', '')", contact)
    values = {
        "id": conversation, "contact_id": contact, "instance_id": ids["number"], "status": "assigned",
        "assigned_to": ids["owner"], "opened_at": at, "last_activity_at": at, "last_inbound_at": at, "tags": [], **more,
    }  # fmt: skip
    places = ", ".join(f"${place + 1}" for place in range(len(values)))
    await db.execute(f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places})", *values.values())
    for direction, minutes in (("INBOUND", 0), *([("OUTBOUND", 1)] if answered else [])):
        sql = """INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, status, status_rank, at,
                 lane, attempts) VALUES ($1, $2, $3, $4, 'text', 'hello', 'sent', 2, $5, 0, 0)"""
        when = at + timedelta(minutes=minutes)
        await db.execute(sql, new_id(), conversation, values["instance_id"], direction, when)
    return conversation


async def tabulation(kernel: Kernel, **more: Any) -> UUID:
    values = {"id": new_id(), "name": f"Stale {new_id()}", "group": "", **more}
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${place + 1}" for place in range(len(values)))
    await kernel.db.execute(f"INSERT INTO tabulations ({names}) VALUES ({places})", *values.values())
    identifier: UUID = values["id"]
    return identifier


async def is_closed(kernel: Kernel, ids: dict[str, UUID]) -> set[str]:
    """Return the names of the conversations that are closed."""
    rows = await kernel.db.fetch("SELECT id FROM conversations WHERE status = 'closed'")
    closed = {row["id"] for row in rows}
    return {name for name, conversation in ids.items() if conversation in closed}


async def carried_out(kernel: Kernel, **request: Any) -> dict[str, Any]:
    order = order_of(CloseStale(idleHours=5, **request), kernel.now())
    async with kernel.db.transaction() as uow:
        order_id = await orders.give_order(uow, CHIEF, order, await orders.count(kernel, order))
    await carrying_out.carry_out(kernel, order_id)
    return orders.run_view(await orders.get(kernel, order_id))


USUAL = {"closed", "assigned", "queued", "elsewhere", "tagged"}


@pytest.mark.parametrize(
    ("asked", "closes"),
    [
        ({}, USUAL),
        ({"idleHours": 0.5}, USUAL | {"fresh"}),
        ({"idleHours": 11}, {"closed"}),
        ({"status": ["queued"]}, {"closed", "queued"}),
        ({"status": ["dormant", "assigned"]}, USUAL - {"queued"} | {"dormant"}),
        ({"serviceInstanceId": "other number"}, {"closed", "elsewhere"}),
        ({"tag": "vip"}, {"closed", "tagged"}),
        ({"teamId": str(uuid4())}, {"closed"}),
        ({"includeUnanswered": True}, USUAL | {"unanswered"}),
    ],
)
async def test_which_are_closed(
    kernel: Kernel, filled: dict[str, UUID], asked: dict[str, Any], closes: set[str]
) -> None:
    if "serviceInstanceId" in asked:
        asked = {**asked, "serviceInstanceId": filled[asked["serviceInstanceId"]]}
    request = CloseStale(**{"tabulationId": await tabulation(kernel), "idleHours": 5, **asked})
    order = order_of(request, kernel.now())
    total = await orders.count(kernel, order)
    assert total == len(closes) - 1
    async with kernel.db.transaction() as uow:
        order_id = await orders.give_order(uow, CHIEF, order, total)
    await carrying_out.carry_out(kernel, order_id)
    view = orders.run_view(await orders.get(kernel, order_id))
    assert (view["status"], view["closed"], view["refused"], view["skipped"]) == ("finished", total, 0, 0)
    assert await is_closed(kernel, filled) == closes


async def test_over_http_each_is_closed_as_if_by_hand(
    server: RunningServer, supervisor: ApiClient, operator: ApiClient
) -> None:
    ids = await fill(server.kernel)
    kind = str(await tabulation(server.kernel, name="No answer", notes_required=True))
    body = {"tabulationId": kind, "idleHours": 5}
    assert (await operator.post(PATH, body)).status_code == 403
    answer = await supervisor.post(PATH, body)
    assert [error["field"] for error in answer.json()["errors"]] == ["notes"]
    body["notes"] = "spring cleaning"
    counted = (await supervisor.post(PATH, {**body, "dryRun": True})).json()
    assert (counted["id"], counted["status"], counted["total"], counted["closed"]) == (None, "counted", 4, 0)
    assert await is_closed(server.kernel, ids) == {"closed"}
    done = (await supervisor.post(PATH, body)).json()
    assert (done["status"], done["total"], done["closed"]) == ("finished", 4, 4)
    assert (await supervisor.get(f"{PATH}/{done['id']}")).json() == done
    assert (await supervisor.get(f"{PATH}/{uuid4()}")).status_code == 404
    shown = (await supervisor.get(f"/api/conversations/{ids['assigned']}")).json()
    assert (shown["status"], shown["tabulation"]) == ("closed", {"id": kind, "name": "No answer"})
    assert shown["assignedTo"]["id"] == str(ids["owner"])
    [entry] = await history(supervisor, str(ids["assigned"]))
    assert (entry["action"], entry["actor"]["id"]) == ("closed", supervisor.user["id"])
    assert entry["details"] == {
        "tabulation": shown["tabulation"],
        "notes": "spring cleaning",
        "fields": {},
        "bulk": done["id"],
    }
    [(kind_of_event, data)] = await events_of(server, str(ids["queued"]))
    assert (kind_of_event, orjson.loads(data)) == ("conversation:closed", {"previousAssignee": None, "wasQueued": True})
    answer = await supervisor.post(PATH, {**body, "tabulationId": str(uuid4())})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_tabulation")


async def test_many_go_in_slices_and_whoever_dies_is_gone_on_for(
    kernel: Kernel, filled: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "SLICE", 2)
    order = order_of(CloseStale(tabulationId=await tabulation(kernel), idleHours=5), kernel.now())
    async with kernel.db.transaction() as uow:
        order_id = await orders.give_order(uow, CHIEF, order, 4)
    assert await carrying_out._carry_out_slice(kernel, order_id)
    assert orders.run_view(await orders.get(kernel, order_id))["closed"] == 2
    assert await orders.left_behind(kernel) == []
    await kernel.db.execute("UPDATE bulk_closings SET touched_at = now() - interval '2 minutes'")
    await jobs.close_stale(kernel, {})
    assert orders.run_view(await orders.get(kernel, order_id))["status"] == "finished"
    assert await is_closed(kernel, filled) == USUAL
    await carrying_out.carry_out(kernel, order_id)
    assert await kernel.db.fetch_value("SELECT count(*) FROM conversation_timeline") == 4


async def test_who_works_on_one_is_not_disturbed(kernel: Kernel, filled: dict[str, UUID]) -> None:
    kind = await tabulation(kernel)
    async with kernel.db.transaction() as uow:
        await uow.fetch("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", filled["assigned"])
        view = await asyncio.create_task(carried_out(kernel, tabulationId=kind))
    assert (view["total"], view["closed"], view["skipped"]) == (4, 3, 1)
    assert await is_closed(kernel, filled) == USUAL - {"assigned"}


async def test_a_tabulation_that_is_gone_meanwhile_fails_the_order(kernel: Kernel, filled: dict[str, UUID]) -> None:
    view = await carried_out(kernel, tabulationId=await tabulation(kernel, is_active=False))
    assert (view["status"], view["closed"]) == ("failed", 0)
    assert "Order it anew" in view["error"]


class Careful:
    """A plugin that lets nobody close what is on the number that a tabulation's rule names."""

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo("careful", "knows where not to close")

    @hookimpl
    def tabulation_rules(self, closing: Closing) -> Refusal | None:
        return Refusal("Not there.") if closing.rule == str(closing.instance_id) else None


class Entry:
    value = "careful"
    dist = None

    def load(self) -> type[Careful]:
        return Careful


class TestRules:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {
            "plugins": {"enabled": ["sandbox", "storage_local", "careful"]},
            "desk": {"close_stale_hours": 5.0, "close_stale_tabulation": "gone quiet"},
        }

    @pytest.fixture
    def plugins(self, settings: Settings) -> Plugins:
        found: Any = {**installed(), "careful": [Entry()]}
        return load_plugins(settings, found)

    async def test_rules_count_for_each(self, kernel: Kernel, filled: dict[str, UUID]) -> None:
        kind = await tabulation(kernel, rule=str(filled["number"]), instance_ids=[filled["number"]])
        view = await carried_out(kernel, tabulationId=kind)
        assert (view["closed"], view["refused"]) == (0, 4), "three by the plugin, one for its number"
        assert await is_closed(kernel, filled) == {"closed"}

    async def test_by_the_clock_what_the_settings_say(self, kernel: Kernel, filled: dict[str, UUID]) -> None:
        with pytest.raises(Invalid, match="close_stale_tabulation"):
            await jobs.close_stale(kernel, {})
        await tabulation(kernel, name="Gone quiet")
        await jobs.close_stale(kernel, {})
        assert await is_closed(kernel, filled) == USUAL
        await jobs.close_stale(kernel, {})
        rows = await kernel.db.fetch("SELECT actor, total FROM bulk_closings")
        assert [(orjson.loads(row["actor"])["name"], row["total"]) for row in rows] == [("Elsehu", 4)]
