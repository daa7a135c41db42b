"""Reports over HTTP: every figure is the column of a list, and the list can be had by the link beside the figure."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from elsehu.http.schemas import ApiModel
from elsehu.reporting import schemas
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

from . import histories, naive

FIGURES = ["wait", "firstResponse", "operatorResponse", "customerResponse", "handling", "queue", "duration"]
SUMS = ["messagesIn", "messagesOut", "replies", "transfers", "reopenings"]
SPREAD = ("count", "mean", "p50", "p90", "p95")


async def got(client: ApiClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(client: ApiClient, link: str) -> list[dict[str, Any]]:
    """Return all of a list that a report links to, page by page."""
    items: list[dict[str, Any]] = []
    page = await got(client, f"{link}{'&' if '?' in link else '?'}limit=50")
    while True:
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        page = await got(client, f"{link}{'&' if '?' in link else '?'}limit=50&cursor={page['nextCursor']}")


def spread(rows: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the distribution of a list's column, worked out plainly."""
    return naive.distribution(None if row[name] is None else round(row[name] * 1000) for row in rows)


def assert_explained(counts: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Assert that a report's figures are those of the list behind them."""
    assert counts["finished"] == len(rows)
    assert {name: counts[name] for name in SUMS} == {name: sum(row[name] for row in rows) for name in SUMS}
    assert counts["kpis"] == {name: spread(rows, name) for name in FIGURES}


class TestGenerated:
    """One server, generated histories: all reports are what the plain reading of the raw rows gives."""

    async def test_figures(self, supervisor: ApiClient, history: list[naive.Conversation]) -> None:
        await self.check_rows(supervisor, history)
        await self.check_filters(supervisor, history)
        await self.check_groups(supervisor)
        await self.check_operators(supervisor)
        await self.check_volume(supervisor, history)
        await self.check_lists(supervisor)

    async def check_rows(self, supervisor: ApiClient, history: list[naive.Conversation]) -> None:
        rows = {row["id"]: row for row in await listed(supervisor, "/api/reports/finished-conversations")}
        assert len(rows) == len(history)
        for one in history:
            plain, _ = naive.rows_of(one, naive.calendar)
            row = rows[str(one.row["id"])]
            assert row["wait"] == (None if plain["wait"] is None else plain["wait"] / 1000)
            assert row["duration"] == plain["duration"] / 1000
            assert row["messagesIn"] == plain["messages_in"]
            assert (row["operator"] and row["operator"]["id"]) == (
                one.row["assigned_to"] and str(one.row["assigned_to"])
            )

    async def check_filters(self, supervisor: ApiClient, history: list[naive.Conversation]) -> None:
        everything = [one.row for one in history]
        clock = {"from": "2018-12-01", "to": "2026-09-01", "timezone": "Asia/Kathmandu"}
        filters: list[dict[str, str]] = [
            {},
            {"operatorId": str(histories.OPERATORS[0])},
            {"handledBy": str(histories.OPERATORS[1])},
            {"serviceInstanceId": str(histories.INSTANCES[1])},
            {"tabulationId": str(histories.TABULATIONS[2])},
            {"laneId": str(histories.LANES[0])},
            {"operatorId": str(uuid4())},
            clock,
            {**clock, "clock": "business", "operatorId": str(histories.OPERATORS[0])},
        ]
        sizes = []
        for query in filters:
            figures = await got(supervisor, "/api/reports/kpis", **query)
            assert_explained(figures, await listed(supervisor, figures["conversations"]))
            sizes.append(figures["finished"])
        assert sizes[0] == len(everything)
        assert sizes[1] == sum(row["assigned_to"] == histories.OPERATORS[0] for row in everything)
        assert sizes[3] == sum(row["instance_id"] == histories.INSTANCES[1] for row in everything)
        assert sizes[6] == 0
        assert 0 < sizes[7] == sum("2018-11-30T18:15" <= row["closed_at"].isoformat() < "2026-08-31T18:15"
                                   for row in everything) < len(everything)  # fmt: skip

    async def check_groups(self, supervisor: ApiClient) -> None:
        for path, name in [("tabulations", "tabulation"), ("service-instances", "serviceInstance")]:
            report = await got(supervisor, f"/api/reports/{path}", clock="business")
            assert len(report["items"]) >= 2
            for item in report["items"]:
                rows = await listed(supervisor, item["conversations"])
                if item[name] is None:  # closed without one: no parameter asks for that
                    rows = [row for row in rows if row[name] is None]
                assert_explained(item, rows)
                assert all(row[name] == item[name] for row in rows)
            counts = [item["finished"] for item in report["items"]]
            assert counts == sorted(counts, reverse=True)
        report = await got(supervisor, "/api/reports/campaigns")
        assert {item["laneId"] for item in report["items"]} == {str(lane) for lane in histories.LANES}
        for item in report["items"]:
            assert_explained(item, await listed(supervisor, item["conversations"]))

    async def check_operators(self, supervisor: ApiClient) -> None:
        report = await got(supervisor, "/api/reports/operators")
        assert len(report["items"]) == len(histories.OPERATORS)
        for item in report["items"]:
            assert len(await listed(supervisor, item["conversations"])) == item["finished"]
            handled = await listed(supervisor, item["handledConversations"])
            assert len(handled) == item["handled"] == item["handling"]["count"]
        first = report["items"][0]
        query = {"handledBy": first["operator"]["id"]}
        alone = (await got(supervisor, "/api/reports/operators", **query))["items"][0]
        assert (alone["handled"], alone["handling"]) == (first["handled"], first["handling"])

    async def check_volume(self, supervisor: ApiClient, history: list[naive.Conversation]) -> None:
        zone = {"timezone": "America/New_York", "from": "2026-10-30", "to": "2026-11-03T12:00:00Z"}
        volume = await got(supervisor, "/api/reports/volume", bucket="day", **zone)
        days = ["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03"]
        assert [item["local"] for item in volume["items"]] == [f"{day}T00:00" for day in days]
        assert [item["from"] for item in volume["items"]][2:4] == [
            "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"]  # fmt: skip
        for item in volume["items"]:
            rows = await listed(supervisor, item["conversations"])
            opened = await listed(supervisor, item["openedConversations"])
            assert (item["finished"], item["opened"]) == (len(rows), len(opened))
            assert item["messagesIn"] == sum(row["messagesIn"] for row in rows)
            assert all(item["from"] <= row["closedAt"] < item["to"] for row in rows)
        assert sum(item["opened"] for item in volume["items"]) > 5
        hours = await got(supervisor, "/api/reports/volume", bucket="hour", **zone)
        assert len(hours["items"]) == 4 * 24 + 1 + 7
        for name in ("opened", "finished", "messagesIn", "messagesOut"):
            assert sum(item[name] for item in hours["items"]) == sum(item[name] for item in volume["items"])
        months = await got(
            supervisor, "/api/reports/volume", **{"bucket": "month", "from": "2018-01-01", "to": "2027-01-01"}
        )
        assert len(months["items"]) == 9 * 12
        assert sum(item["finished"] for item in months["items"]) + sum(
            one.row["closed_at"].year > 2026 for one in history) == len(history)  # fmt: skip

    async def check_lists(self, supervisor: ApiClient) -> None:
        """Pages are in order and lose nothing; what is sent says what it is."""
        for path, time in [("finished", "closedAt"), ("opened", "openedAt")]:
            rows = await listed(supervisor, f"/api/reports/{path}-conversations")
            assert [row[time] for row in rows] == sorted((row[time] for row in rows), reverse=True)
            assert len({row["id"] for row in rows}) == len(rows)
        models: dict[str, type[ApiModel]] = {
            "finished-conversations": schemas.FinishedPage,
            "opened-conversations": schemas.OpenedPage,
            "kpis": schemas.KpisOut,
            "operators": schemas.OperatorsOut,
            "tabulations": schemas.TabulationsOut,
            "service-instances": schemas.InstancesOut,
            "campaigns": schemas.LanesOut,
            "volume": schemas.VolumeOut,
            "live": schemas.LiveOut,
        }
        for path, model in models.items():
            model.model_validate(await got(supervisor, f"/api/reports/{path}"))


async def test_what_is_refused(supervisor: ApiClient, operator: ApiClient) -> None:
    paths = ["finished-conversations", "opened-conversations", "kpis", "operators", "tabulations",
             "service-instances", "campaigns", "volume", "live"]  # fmt: skip
    for path in paths:
        assert (await operator.get(f"/api/reports/{path}")).status_code == 403
    refused: list[tuple[str, dict[str, str], str]] = [
        ("kpis", {"from": "2026-11-02", "to": "2026-11-01"}, "to"),
        ("kpis", {"from": "yesterday"}, "from"),
        ("kpis", {"from": "2026-11-02T10:00:00"}, "from"),
        ("kpis", {"from": "0001-01-01"}, "from"),
        ("kpis", {"to": "9999-12-31"}, "to"),
        ("kpis", {"clock": "wall"}, "clock"),
        ("kpis", {"timezone": "Brasilia"}, "timezone"),
        ("kpis", {"operatorId": "me"}, "operatorId"),
        ("kpis", {"unknown": "1"}, "unknown"),
        ("volume", {"bucket": "year"}, "bucket"),
        ("volume", {"bucket": "hour", "from": "2020-01-01"}, "bucket"),
        ("volume", {"from": "2999-01-01"}, "from"),
        ("finished-conversations", {"cursor": "x"}, "cursor"),
        ("finished-conversations", {"limit": "1000"}, "limit"),
    ]
    for path, query, field in refused:
        answer = await supervisor.get(f"/api/reports/{path}", params=query)
        assert answer.status_code == 422, (path, query)
        assert [error["field"] for error in answer.json()["errors"]] == [field], answer.text


async def test_a_report_is_exact_at_once(server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
    """Closed, reopened, closed again, changed by what comes late: whoever asks next sees it."""
    number = await add_number(admin)
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    now = server.kernel.now().replace(microsecond=0)
    conversation = await customer_writes(server, number, "5511988887777", at=now - timedelta(seconds=90))
    one = f"/api/conversations/{conversation}"

    async def rows() -> list[dict[str, Any]]:
        return await listed(admin, f"/api/reports/finished-conversations?serviceInstanceId={number}")

    assert await rows() == []
    board = await got(admin, "/api/reports/live")
    assert (board["queue"]["count"], board["queue"]["ages"][1]) == (1, {"upTo": 300, "count": 1})
    assert 90 <= board["queue"]["oldestSeconds"] < 150
    assert (await operator.post(f"{one}/assign")).status_code == 200
    board = await got(admin, "/api/reports/live", serviceInstanceId=str(number))
    [load] = board["operators"]
    assert (board["queue"]["count"], load["assigned"], load["unanswered"]) == (0, 1, 1)
    assert len((await got(admin, load["conversations"]))["items"]) == 1
    sent = await operator.post("/api/messages/send", {"conversationId": str(conversation), "text": "hi"})
    assert sent.status_code == 201
    assert (await got(admin, "/api/reports/live"))["operators"][0]["unanswered"] == 0
    assert (await operator.post(f"{one}/close", {"tabulationId": tabulation})).status_code == 200

    [row] = await rows()
    assert row["operator"] == {"id": operator.user["id"], "name": operator.user["name"]}
    assert 90 <= row["wait"] < 150
    assert row["firstResponse"] < row["wait"] - 80
    assert row["duration"] == pytest.approx(row["queue"] + row["handling"])
    assert (row["messagesIn"], row["replies"], row["reopenings"]) == (1, 1, 0)
    figures = await got(admin, "/api/reports/kpis")
    assert figures["kpis"]["wait"] == dict.fromkeys(SPREAD, row["wait"]) | {"count": 1}

    assert (await operator.post(f"{one}/reopen")).status_code == 200
    assert await rows() == []
    assert (await operator.post(f"{one}/close", {"tabulationId": tabulation})).status_code == 200
    [again] = await rows()
    assert (again["reopenings"], again["wait"], again["openedAt"]) == (1, row["wait"], row["openedAt"])

    late = await customer_writes(server, number, "5511988887777", at=now - timedelta(seconds=95))
    assert late == conversation
    [told] = await rows()
    assert (told["messagesIn"], told["wait"]) == (2, row["wait"])
    other = await customer_writes(server, number, "5511988887777")
    assert other != conversation
    await asyncio.gather(*(rows() for _ in range(4)))
    assert len(await listed(admin, "/api/reports/opened-conversations")) == 2


async def test_what_people_do_is_what_is_counted(
    server: RunningServer, admin: ApiClient, operator: ApiClient, supervisor: ApiClient
) -> None:
    """Through the API: taken, handed on, given back, merged, with what was sent in bulk. Then plainly read."""
    number = await add_number(admin)
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    one = await customer_writes(server, number, "5511988887777")
    two = await customer_writes(server, number, "5521977776666")
    doing: list[tuple[ApiClient, Any, str, Any]] = [
        (operator, one, "assign", {}),
        (operator, one, "transfer", {"userId": supervisor.user["id"], "reason": "yours"}),
        (supervisor, one, "release", {}),
        (operator, two, "assign", {}),
        (operator, two, "notes", {"text": "to whom?"}),
    ]
    for client, conversation, act, body in doing:
        answer = await client.post(f"/api/conversations/{conversation}/{act}", body)
        assert answer.status_code in (200, 201), answer.text
    contacts = [item["contact"]["id"] for item in (await got(admin, "/api/conversations"))["items"]]
    assert (await admin.post("/api/contacts/merge", {"contactIds": contacts})).status_code == 200
    kept = (await got(admin, "/api/conversations?status=assigned"))["items"][0]["id"]
    assert kept == str(one)
    sent = await operator.post("/api/messages/send", {"conversationId": kept, "text": "hi"})
    assert sent.status_code == 201, sent.text
    assert (await operator.post(f"/api/conversations/{kept}/close", {"tabulationId": tabulation})).status_code == 200
    await sleep_in_bulk(server, kept)
    assert (await operator.post(f"/api/conversations/{kept}/reopen", {"queue": True})).status_code == 200
    assert (await supervisor.post(f"/api/conversations/{kept}/close", {"tabulationId": tabulation})).status_code == 200

    [row] = await listed(admin, "/api/reports/finished-conversations")
    async with server.kernel.db.pool.acquire() as connection:
        [history] = await naive.conversations(connection)
    plain, _ = naive.rows_of(history, naive.calendar)
    assert len(history.parts) == 2
    assert (plain["transfers"], plain["reopenings"]) == (1, 1)
    for name in FIGURES:
        column = plain["".join("_" + letter.lower() if letter.isupper() else letter for letter in name)]
        assert row[name] == (None if column is None else column / 1000), name


async def sleep_in_bulk(server: RunningServer, closed: str) -> None:
    """Have a dormant conversation beside a closed one, as a campaign makes them."""
    sql = """
    INSERT INTO conversations (id, contact_id, instance_id, status, opened_at, last_activity_at, tags)
    SELECT gen_random_uuid(), contact_id, instance_id, 'dormant', opened_at, now(), '{}'
    FROM conversations WHERE id = $1
    """
    await server.kernel.db.execute(sql, UUID(closed))
