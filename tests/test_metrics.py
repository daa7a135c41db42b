"""What Prometheus is told: of this process and of the installation, and never who or what somebody wrote."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from elsehu.instances.directory import Directory
from elsehu.jobs import runs
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"server": {"metrics": True}}


async def figures(server: RunningServer) -> dict[str, list[tuple[dict[str, str], float]]]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in samples:
        found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def total(samples: list[tuple[dict[str, str], float]], **labels: str) -> float:
    return sum(value for of, value in samples if labels.items() <= of.items())


async def test_a_conversation_in_figures(server: RunningServer, admin: ApiClient) -> None:
    number = (
        await admin.post(
            "/api/service-instances", json={"name": 'Desk "1"', "phone": "+5511999990000", "provider": "sandbox"}
        )
    ).json()
    path = f"/api/webhooks/sandbox/{number['id']}"
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.post(path, json={"nonsense": True})).status_code == 401
    await runs.begin(server.kernel.db, "media.sweep", server.kernel.now())
    await runs.end(server.kernel.db, "media.sweep", server.kernel.now())
    found = await figures(server)
    assert total(found["elsehu_webhook_seconds_count"], provider="sandbox", outcome="refused") == 1
    assert total(found["elsehu_http_request_seconds_count"], route="/api/service-instances", status="201") == 1
    assert total(found["elsehu_instance_connected"], instance='Desk "1"', provider="sandbox") in (0, 1)
    assert total(found["elsehu_task_runs_total"], task="media.sweep") == 1
    assert total(found["elsehu_database_up"]) == 1
    assert found["elsehu_sockets"] == [({}, 0)]


async def test_routes_are_counted_by_their_template_alone(server: RunningServer, admin: ApiClient) -> None:
    await admin.get("/api/users/a-secret-in-a-path")
    await admin.get("/a-secret-in-a-path")
    routes = {of["route"] for of, _ in (await figures(server))["elsehu_http_request_seconds_count"]}
    assert {"/api/users/{id}", "unmatched"} <= routes
    assert not [route for route in routes if "secret-in" in route]


async def test_without_postgresql_the_process_tells_what_it_knows(server: RunningServer) -> None:
    await server.kernel.db.pool.close()
    found = await figures(server)
    assert found["elsehu_database_up"] == [({}, 0)]
    assert "elsehu_database_connections" in found


DEPLOY = Path(__file__).parent.parent / "deploy"
EXPRESSIONS = {
    "grafana-dashboard.json": lambda text: [
        target["expr"] for panel in orjson.loads(text)["panels"] for target in panel["targets"]
    ],
    "alerts.yml": lambda text: [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]],
}
LATER = {"elsehu_plugin_failures_total", "elsehu_queue_depth", "elsehu_queue_age_seconds"}
"""What is there once a plugin failed, and while something waits."""


@pytest.mark.parametrize("file", EXPRESSIONS)
async def test_dashboard_and_alerts_ask_for_nothing_that_is_not_told(
    server: RunningServer, admin: ApiClient, file: str
) -> None:
    number = (
        await admin.post(
            "/api/service-instances", json={"name": "Desk", "phone": "+5511999990000", "provider": "sandbox"}
        )
    ).json()
    instance = await server.kernel.part(Directory).get(UUID(number["id"]))
    assert instance is not None
    sender = {"phone": "5511999990000", "name": "Maria"}
    event = {"type": "message", "id": "A", "from": sender, "at": "2026-03-04T12:00:00Z", "text": "oi"}
    async with httpx.AsyncClient(base_url=server.url, headers={"x-elsehu-secret": instance.webhook_secret}) as http:
        (await http.post(f"/api/webhooks/sandbox/{number['id']}", json={"events": [event]})).raise_for_status()
    conversation = (await admin.get("/api/conversations")).json()["items"][0]["id"]
    await admin.post("/api/messages/send", {"conversationId": conversation, "text": "hello"})
    await runs.begin(server.kernel.db, "media.sweep", server.kernel.now())
    await runs.end(server.kernel.db, "media.sweep", server.kernel.now())
    told = set(await figures(server)) | LATER
    asked = {
        name for expr in EXPRESSIONS[file]((DEPLOY / file).read_text()) for name in re.findall(r"elsehu_\w+", expr)
    }
    assert asked
    assert asked <= told
