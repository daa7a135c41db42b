"""Tabulations: everybody reads them, supervisors keep them, and what was used is never lost."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from elsehu.desk.defaults import NAMES, ensure_default_tabulations
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import Conversation, closed, taken


async def names(client: ApiClient, query: str = "") -> list[str]:
    """Return the listed tabulations' names, in order, from pages of three."""
    found: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"/api/tabulations?limit=3{query}" + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [one["name"] for one in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def test_one_is_made_and_shown(supervisor: ApiClient, operator: ApiClient) -> None:
    body = {
        "name": " Sold ",
        "group": "Sales",
        "position": 3,
        "rule": "needs-invoice",
        "requiredFields": ["order", {"name": "amount", "label": "Amount paid"}],
    }
    answer = await supervisor.post("/api/tabulations", body)
    assert answer.status_code == 201
    made = answer.json()
    expected = {
        "name": "Sold",
        "group": "Sales",
        "position": 3,
        "isActive": True,
        "rule": "needs-invoice",
        "requiredFields": [{"name": "order", "label": None}, {"name": "amount", "label": "Amount paid"}],
    }
    assert {key: made[key] for key in expected} == expected
    assert (await operator.get("/api/tabulations")).json()["items"] == [made]


async def test_they_come_by_position_and_name(supervisor: ApiClient, operator: ApiClient) -> None:
    for name, position in (("b", 1), ("B2", 1), ("a", 2), ("z", 0), ("A", 1), ("c", 1), ("y", 0)):
        assert (await supervisor.post("/api/tabulations", {"name": name, "position": position})).status_code == 201
        if name == "a":  # a name is taken once in a group, whatever its case
            answer = await supervisor.post("/api/tabulations", {"name": "A"})
            assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
            await supervisor.patch(f"/api/tabulations/{await id_of(operator, 'a')}", {"group": "other"})
    assert await names(operator) == ["y", "z", "A", "b", "B2", "c", "a"]


async def id_of(client: ApiClient, name: str) -> str:
    """Return the id of the listed tabulation `name`."""
    items = (await client.get("/api/tabulations?includeInactive=true")).json()["items"]
    return next(str(one["id"]) for one in items if one["name"] == name)


async def test_one_is_changed(supervisor: ApiClient, operator: ApiClient, tabulation: dict[str, Any]) -> None:
    path = f"/api/tabulations/{tabulation['id']}"
    changed = (await supervisor.patch(path, {"requiredFields": ["order"]})).json()
    assert changed == {**tabulation, "requiredFields": [{"name": "order", "label": None}]}
    assert (await supervisor.patch(path, {"isActive": False})).json() == {**changed, "isActive": False}
    assert await names(operator) == []
    assert await names(operator, "&includeInactive=true") == ["Resolved"]
    assert (await supervisor.patch(path, {})).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": "x", "position": -1}, "position"),
        ({"name": "x", "position": 2**40}, "position"),
        ({"name": "x", "requiredFields": ["a", "a"]}, "requiredFields"),
        ({"name": "x", "requiredFields": [""]}, "requiredFields.0.name"),
        ({"name": "x", "requiredFields": [7]}, "requiredFields.0"),
        ({"name": "x", "colour": "red"}, "colour"),
    ],
)
async def test_what_is_refused(supervisor: ApiClient, tabulation: dict[str, Any], body: Any, field: str) -> None:
    for answer in (
        await supervisor.post("/api/tabulations", body),
        await supervisor.patch(f"/api/tabulations/{tabulation['id']}", body),
    ):
        assert answer.status_code == 422
        assert field in {error["field"] for error in answer.json()["errors"]}


async def test_one_that_was_never_used_is_deleted(supervisor: ApiClient, tabulation: dict[str, Any]) -> None:
    path = f"/api/tabulations/{tabulation['id']}"
    assert (await supervisor.delete(path)).status_code == 204
    assert (await supervisor.delete(path)).status_code == 404
    assert (await supervisor.patch(path, {"name": "x"})).status_code == 404
    assert await names(supervisor, "&includeInactive=true") == []


async def test_one_that_was_used_is_deactivated(
    supervisor: ApiClient, operator: ApiClient, waiting: Conversation, tabulation: dict[str, Any]
) -> None:
    await closed(operator, await taken(operator, await waiting()), tabulation)
    assert (await supervisor.delete(f"/api/tabulations/{tabulation['id']}")).status_code == 204
    assert await names(supervisor) == []
    assert await names(supervisor, "&includeInactive=true") == ["Resolved"]


async def test_deleting_races_closing(supervisor: ApiClient, operator: ApiClient, waiting: Conversation) -> None:
    """Either it was used and stays, or it is gone and nothing was closed with it."""
    for _ in range(6):
        tabulation = (await supervisor.post("/api/tabulations", {"name": f"T {uuid4()}"})).json()
        conversation = await taken(operator, await waiting())
        closing, _ = await asyncio.gather(
            operator.post(f"/api/conversations/{conversation}/close", {"tabulationId": tabulation["id"]}),
            supervisor.delete(f"/api/tabulations/{tabulation['id']}"),
        )
        is_there = tabulation["name"] in await names(supervisor, "&includeInactive=true")
        assert closing.status_code == (200 if is_there else 422)


async def test_what_supervisors_do_is_audited(server: RunningServer, supervisor: ApiClient) -> None:
    made = (await supervisor.post("/api/tabulations", {"name": "x"})).json()
    await supervisor.patch(f"/api/tabulations/{made['id']}", {"name": "y"})
    await supervisor.delete(f"/api/tabulations/{made['id']}")
    rows = await server.kernel.db.fetch(
        "SELECT action FROM audit_log WHERE subject = $1 ORDER BY id", f"tabulation:{made['id']}"
    )
    assert [row["action"] for row in rows] == ["tabulation_created", "tabulation_changed", "tabulation_deleted"]


async def test_a_new_installation_has_some(server: RunningServer, operator: ApiClient) -> None:
    for _ in range(2):
        async with server.kernel.db.transaction() as uow:
            await ensure_default_tabulations(uow)
    assert await names(operator) == list(NAMES)
