"""Teams and operators: who serves which queue, and what that lets them see."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer
from elsehu.testing.sockets import socket_to

from .conftest import Conversation, events_of, history, taken

HOURS = {
    "timezone": "America/Sao_Paulo",
    "ranges": [
        {"days": ["mon", "tue"], "from": "09:00", "to": "12:00"},
        {"days": ["sun"], "from": "00:00", "to": "24:00"},
    ],
}
Team = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def team(supervisor: ApiClient) -> Team:
    """Return a function that adds a team."""

    async def add(name: str, *members: ApiClient, **more: Any) -> dict[str, Any]:
        body = {"name": name, "memberIds": [member.user["id"] for member in members], **more}
        answer = await supervisor.post("/api/teams", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return add


async def seen(client: ApiClient, **query: str) -> set[str]:
    """Return the conversations that somebody is shown, the same by the list, the queue and one by one."""
    listed = {
        one["id"]
        for one in (await client.get("/api/conversations", params={"status": "queued", **query})).json()["items"]
    }
    queue = (await client.get("/api/queue", params=query)).json()
    assert listed == {one["conversation"]["id"] for one in queue["items"]}
    assert len(listed) == queue["total"]
    for conversation in listed:
        assert (await client.get(f"/api/conversations/{conversation}")).status_code == 200
    return listed


async def test_a_team_is_kept_as_it_is_described(
    supervisor: ApiClient, operator: ApiClient, colleague: ApiClient, number: UUID, team: Team
) -> None:
    made = await team("Sales", operator, serviceInstanceIds=[str(number)], hours=HOURS)
    shown = (await operator.get(f"/api/teams/{made['id']}")).json()
    assert shown == made
    assert (made["name"], made["isActive"], made["serviceInstanceIds"]) == ("Sales", True, [str(number)])
    assert made["members"] == [{"id": operator.user["id"], "name": operator.user["name"]}]
    assert made["hours"] == HOURS
    changes = {"name": "Sales team", "memberIds": [colleague.user["id"]], "serviceInstanceIds": None}
    changed = (await supervisor.patch(f"/api/teams/{made['id']}", changes)).json()
    assert [one["id"] for one in changed["members"]] == [colleague.user["id"]]
    assert (changed["name"], changed["serviceInstanceIds"], changed["hours"]) == ("Sales team", None, HOURS)
    assert [one["name"] for one in (await operator.get("/api/teams")).json()["items"]] == ["Sales team"]


async def test_what_a_team_cannot_be(supervisor: ApiClient, operator: ApiClient, team: Team) -> None:
    await team("Sales")
    answer = await supervisor.post("/api/teams", {"name": "SALES"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    day = {"days": ["mon"], "from": "09:00", "to": "12:00"}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"memberIds": [operator.user["id"], str(uuid4())]}, "memberIds.1"),
        ({"serviceInstanceIds": [str(uuid4())]}, "serviceInstanceIds.0"),
        ({"hours": {"timezone": "Mars/Olympus", "ranges": [day]}}, "hours.timezone"),
        ({"hours": {"timezone": "../../etc/passwd", "ranges": [day]}}, "hours.timezone"),
        ({"hours": {"timezone": "UTC", "ranges": []}}, "hours.ranges"),
        ({"hours": {"timezone": "UTC", "ranges": [{**day, "to": "09:00"}]}}, "hours.ranges.0"),
        ({"hours": {"timezone": "UTC", "ranges": [{**day, "from": "24:00"}]}}, "hours.ranges.0.from"),
        ({"hours": {"timezone": "UTC", "ranges": [{**day, "days": ["monday"]}]}}, "hours.ranges.0.days.0"),
    ]
    for body, field in refused:
        answer = await supervisor.post("/api/teams", {"name": "Support", **body})
        assert answer.status_code == 422, body
        assert field in {error["field"] for error in answer.json()["errors"]}, answer.text


async def test_a_team_for_which_somebody_waits_stays(
    supervisor: ApiClient, operator: ApiClient, waiting: Conversation, team: Team
) -> None:
    sales, unused = await team("Sales", operator), await team("Unused")
    conversation = await waiting()
    await supervisor.post(f"/api/conversations/{conversation}/transfer", {"teamId": sales["id"]})
    path = f"/api/teams/{sales['id']}"
    for answer in (await supervisor.delete(path), await supervisor.patch(path, {"isActive": False})):
        assert (answer.status_code, answer.json()["code"]) == (409, "team_busy")
    await taken(operator, conversation)
    assert (await supervisor.delete(path)).status_code == 204
    assert (await supervisor.get(path)).json()["isActive"] is False
    assert (await supervisor.delete(f"/api/teams/{unused['id']}")).status_code == 204
    assert (await supervisor.get(f"/api/teams/{unused['id']}")).status_code == 404
    answer = await supervisor.post(f"/api/conversations/{conversation}/transfer", {"teamId": sales["id"]})
    assert answer.status_code == 422
    released = (await operator.post(f"/api/conversations/{conversation}/release")).json()
    assert (released["status"], released["teamId"]) == ("queued", None)


async def test_a_teams_queue_is_its_members(
    operator: ApiClient, colleague: ApiClient, supervisor: ApiClient, waiting: Conversation, team: Team
) -> None:
    sales = await team("Sales", colleague)
    for_all, for_sales = await waiting(), await taken(operator, await waiting())
    body = {"teamId": sales["id"], "reason": "wants to buy"}
    shown = (await operator.post(f"/api/conversations/{for_sales}/transfer", body)).json()
    assert (shown["status"], shown["teamId"], shown["assignedTo"]) == ("queued", sales["id"], None)
    assert await seen(operator) == {for_all}
    assert await seen(colleague) == await seen(supervisor) == {for_all, for_sales}
    assert await seen(colleague, teamId=sales["id"]) == {for_sales}
    assert (await operator.get(f"/api/conversations/{for_sales}")).status_code == 404
    assert (await operator.post(f"/api/conversations/{for_sales}/assign")).status_code == 404
    await taken(colleague, for_sales)
    entries = await history(colleague, for_sales)
    assert [one["action"] for one in entries] == ["assigned", "transferred", "assigned"]
    assert entries[1]["details"] == {
        "from": {"id": operator.user["id"], "name": operator.user["name"]},
        "to": None,
        "team": {"id": sales["id"], "name": "Sales"},
        "reason": "wants to buy",
    }
    released = (await colleague.post(f"/api/conversations/{for_sales}/release")).json()
    assert (released["status"], released["teamId"]) == ("queued", sales["id"])
    await taken(colleague, for_sales)
    back = (await colleague.post(f"/api/conversations/{for_sales}/transfer", {"queue": True})).json()
    assert (back["status"], back["teamId"]) == ("queued", None)


async def test_numbers_of_an_operator_and_of_his_teams_add_up(
    server: RunningServer, admin: ApiClient, operator: ApiClient, supervisor: ApiClient, number: UUID, team: Team
) -> None:
    second, third = await add_number(admin), await add_number(admin)
    one, two, three = [str(await customer_writes(server, at, "5511988880001")) for at in (number, second, third)]
    assert await seen(operator) == {one, two, three}
    path = f"/api/operators/{operator.user['id']}"
    shown = (await supervisor.patch(path, {"serviceInstanceIds": [str(second)]})).json()
    assert shown["serviceInstanceIds"] == [str(second)]
    assert await seen(operator) == {two}
    assert await seen(operator, serviceInstanceId=str(number)) == set()
    sales = await team("Sales", operator, serviceInstanceIds=[str(third)])
    assert await seen(operator) == {two, three}
    await supervisor.patch(f"/api/teams/{sales['id']}", {"isActive": False})
    assert await seen(operator) == {two}
    await supervisor.patch(path, {"serviceInstanceIds": []})
    assert await seen(operator) == set()
    await supervisor.patch(path, {"serviceInstanceIds": None})
    assert await seen(operator) == {one, two, three}


async def test_who_takes_part_in_what_is_told_at_once(
    server: RunningServer, operator: ApiClient, colleague: ApiClient, supervisor: ApiClient, number: UUID, team: Team
) -> None:
    """An open socket follows a new membership without a new login, and says goodbye only to who saw it."""
    sales = await team("Sales", operator)
    async with socket_to(server, operator.token) as mine, socket_to(server, colleague.token) as theirs:
        for socket in (mine, theirs):
            await socket.ask("inbox:subscribe")
        conversation = str(await customer_writes(server, number, "5511988880002"))
        for socket in (mine, theirs):
            await socket.until(lambda socket=socket: socket.all("conversation:new"))
        await supervisor.post(f"/api/conversations/{conversation}/transfer", {"teamId": sales["id"]})
        await mine.until(
            lambda: any(one["data"].get("teamId") == sales["id"] for one in mine.all("conversation:updated"))
        )
        goodbye = await theirs.until(
            lambda: next((one for one in theirs.all("conversation:updated") if "contact" not in one["data"]), None)
        )
        assert goodbye["data"] == {"id": conversation, "status": "queued", "assignedTo": None}
        before = len(theirs.all("conversation:updated"))
        await taken(operator, conversation)
        marker = str(await customer_writes(server, number, "5511988880003"))
        await theirs.until(lambda: any(one["data"]["id"] == marker for one in theirs.all("conversation:new")))
        told = theirs.all("conversation:updated")[before:]
        assert [one for one in told if one["data"]["id"] == conversation] == []
    assert (await events_of(server, conversation))[-1][0] == "conversation:updated"


async def test_an_operator_as_the_desk_sees_him(
    admin: ApiClient, supervisor: ApiClient, operator: ApiClient, waiting: Conversation, team: Team
) -> None:
    sales = await team("Sales", operator)
    await taken(operator, await waiting())
    path = f"/api/operators/{operator.user['id']}"
    shown = (await supervisor.get(path)).json()
    assert shown == {
        "id": operator.user["id"], "name": operator.user["name"], "role": "OPERATOR", "presence": "offline",
        "load": 1, "limit": 5, "isOnDuty": True, "capacity": None, "serviceInstanceIds": None, "hours": None,
        "teamIds": [sales["id"]],
    }  # fmt: skip
    changed = (await supervisor.patch(path, {"capacity": 2, "hours": HOURS})).json()
    assert (changed["capacity"], changed["limit"], changed["hours"]) == (2, 2, HOURS)
    assert (await supervisor.patch(path, {"capacity": None})).json()["limit"] == 5
    mine = (await supervisor.get(f"/api/operators/{supervisor.user['id']}")).json()
    assert mine["limit"] == 0, "a supervisor is given nothing unless he says how much"
    first = (await supervisor.get("/api/operators", params={"limit": 1})).json()
    rest = (await supervisor.get("/api/operators", params={"cursor": first["nextCursor"]})).json()
    ids = [one["id"] for one in first["items"] + rest["items"]]
    assert ids == sorted(one.user["id"] for one in (admin, supervisor, operator))
    assert (await supervisor.get(f"/api/operators/{uuid4()}")).status_code == 404


class TestOperatorsWhoSeeAll:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"desk": {"operators_see_all": True}}

    async def test_they_see_all_of_the_numbers_that_they_serve(
        self,
        server: RunningServer,
        admin: ApiClient,
        operator: ApiClient,
        colleague: ApiClient,
        number: UUID,
        team: Team,
    ) -> None:
        other = await add_number(admin)
        theirs = await taken(colleague, str(await customer_writes(server, other, "5511988880004")))
        mine = await taken(operator, str(await customer_writes(server, other, "5511988880005")))
        open_to_me = await taken(colleague, str(await customer_writes(server, number, "5511988880006")))
        in_team = await taken(colleague, str(await customer_writes(server, number, "5511988880007")))

        async def listed() -> list[str]:
            return [one["id"] for one in (await operator.get("/api/conversations")).json()["items"]]

        assert set(await listed()) == {theirs, mine, open_to_me, in_team}
        await admin.patch(f"/api/operators/{operator.user['id']}", {"serviceInstanceIds": [str(number)]})
        assert sorted(await listed()) == sorted([mine, open_to_me, in_team])
        sales = await team("Sales", colleague)
        await admin.post(f"/api/conversations/{in_team}/transfer", {"teamId": sales["id"]})
        assert sorted(await listed()) == sorted([mine, open_to_me])
