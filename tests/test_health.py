"""Whether a process lives, and whether it can work: anybody may ask, only an ADMIN is told why."""

import httpx

from elsehu import __version__
from elsehu.background import Background
from elsehu.embedded import EmbeddedServices
from elsehu.health import DISPATCHER, State, report_on, status_of
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


async def ask(server: RunningServer, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.get(path)


async def test_health_needs_nobody(server: RunningServer) -> None:
    answer = await ask(server, "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})


async def test_only_an_admin_is_told_why(server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
    public = {"status": "ok", "version": __version__}
    assert (await ask(server, "/health/ready")).json() == public
    assert (await operator.get("/health/ready")).json() == public
    assert (await admin.get("/health/ready", headers={"authorization": "Bearer nonsense"})).json() == public
    told = (await admin.get("/health/ready")).json()
    assert told["tasks"]["messaging.catch_up"] is None, "it has not run yet"
    parts = told["parts"]
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(
        ("database", "migrations", "redis", "dispatcher", "tasks"), "ok"
    )


async def test_lacking_migrations_are_told_with_the_remedy(server: RunningServer, admin: ApiClient) -> None:
    await server.kernel.db.execute("DELETE FROM migration WHERE app_name = 'elsehu_desk'")
    answer = await admin.get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["status"] == "unavailable"
    assert "elsehu migrate" in answer.json()["parts"]["migrations"]["detail"]


async def test_without_redis_the_process_works_on(server: RunningServer, services: EmbeddedServices) -> None:
    await server.kernel.redis.aclose()
    server.kernel.redis.connection_pool.connection_kwargs["path"] = "/nowhere"
    answer = await ask(server, "/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_a_broken_dispatcher_is_told(server: RunningServer) -> None:
    server.kernel.part(Background)._running.discard(DISPATCHER)
    report = await report_on(server.kernel)
    assert not report["dispatcher"].is_well
    assert (await ask(server, "/health/ready")).status_code == 503


def test_what_the_parts_come_to() -> None:
    well, down, missed = State(True, ""), State(False, "away"), State(False, "away", needed=False)
    assert status_of({"a": well, "b": well}) == "ok"
    assert status_of({"a": well, "b": missed}) == "degraded"
    assert status_of({"a": down, "b": missed}) == "unavailable"
