"""Who must be reached, and is not: the doctor says so, and the periodic tasks note it and go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from elsehu.doctor import State, examine
from elsehu.kernel import Kernel
from elsehu.known_jobs import jobs_of
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number
from elsehu.testing.serving import RunningServer, running_server


@pytest.fixture
def evolution() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.05) as running:
        yield running


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["evolution", "sandbox", "storage_local"]}}


@pytest.fixture
async def numbers(admin: ApiClient, evolution: EvolutionStandin) -> None:
    """A number of the sandbox, and one at Evolution, both connected."""
    await add_number(admin, "Desk")
    evolution.add_instance("wa")
    credentials = {"serverUrl": evolution.url, "apiKey": evolution.global_key, "instanceName": "wa"}
    body = {"name": "Shop", "phone": "+5511955550001", "provider": "evolution", "credentials": credentials}
    made = (await admin.post("/api/service-instances", body)).json()
    while (await admin.get(f"/api/service-instances/{made['id']}/status")).json()["status"] != "connected":
        await asyncio.sleep(0.02)


async def run(kernel: Kernel, name: str) -> str | None:
    return await jobs_of(kernel.plugins)[name].run(kernel, {})


async def findings(settings: Settings) -> dict[str, tuple[State, str, str]]:
    return {one.subject: (one.state, one.detail, one.fix) async for one in examine(settings)}


@pytest.mark.usefixtures("numbers")
async def test_a_provider_that_is_away_is_named_with_its_number(
    server: RunningServer, evolution: EvolutionStandin
) -> None:
    assert (await findings(server.kernel.settings))["number Shop"][0] is State.OK
    evolution.stop()
    found = await findings(server.kernel.settings)
    state, detail, fix = found["number Shop"]
    assert state is State.BROKEN
    assert "evolution does not answer" in detail
    assert "server and the credentials" in fix
    assert found["number Desk"][0] is State.OK


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize("task", ["instances.check_webhooks", "messaging.catch_up"])
async def test_one_number_that_fails_is_noted_and_the_others_go_on(
    server: RunningServer, kernel: Kernel, evolution: EvolutionStandin, task: str
) -> None:
    await kernel.db.execute("UPDATE service_instances SET history_at = NULL")
    evolution.stop()
    told = await run(kernel, task)
    assert told is not None
    assert told.startswith("1 of 2 numbers; Shop: ")
    assert evolution.global_key not in told


@pytest.mark.usefixtures("numbers")
async def test_a_webhook_that_somebody_changed_is_set_anew(server: RunningServer, evolution: EvolutionStandin) -> None:
    async with httpx.AsyncClient(base_url=evolution.url, headers={"apikey": evolution.global_key}) as http:

        async def url() -> str:
            return str((await http.get("/webhook/find/wa")).json()["url"])

        assert await run(server.kernel, "instances.check_webhooks") == "2 of 2 numbers"
        ours = await url()
        assert ours.startswith(server.url)
        elsewhere = {"enabled": True, "url": "http://127.0.0.1:9/elsewhere", "events": [], "base64": True}
        (await http.post("/webhook/set/wa", json={"webhook": elsewhere})).raise_for_status()
        assert await url() != ours
        assert await run(server.kernel, "instances.check_webhooks") == "2 of 2 numbers"
        assert await url() == ours


@pytest.mark.usefixtures("numbers")
async def test_who_was_asked_lately_is_not_asked_again(kernel: Kernel) -> None:
    await kernel.db.execute("UPDATE service_instances SET history_at = NULL")
    assert await run(kernel, "messaging.catch_up") == "2 of 2 numbers"
    assert await run(kernel, "messaging.catch_up") == "0 of 0 numbers"


async def test_dead_letters_are_told_of_until_somebody_has_seen_to_them(kernel: Kernel) -> None:
    assert await run(kernel, "messaging.report_dead_letters") == "none"
    await kernel.db.execute("INSERT INTO dead_letters (provider, error, item) VALUES ('evolution', 'odd', '{}')")
    told = await run(kernel, "messaging.report_dead_letters")
    assert told is not None
    assert told.startswith("1 of evolution since ")
    assert "elsehu webhooks list --dead" in told
    await kernel.db.execute("UPDATE dead_letters SET resolved_at = now()")
    assert await run(kernel, "messaging.report_dead_letters") == "none"


async def test_files_that_nobody_fetches_are_told_of(kernel: Kernel) -> None:
    assert await run(kernel, "messaging.settle_stuck") == "nothing"
    await kernel.db.execute(
        "INSERT INTO media_files (id, next_attempt_at) VALUES (gen_random_uuid(), now() - interval '1 hour')"
    )
    told = await run(kernel, "messaging.settle_stuck")
    assert told is not None
    assert told.startswith("1 files wait to be fetched for more than 10 minutes")


@asynccontextmanager
async def proxy(answer: Response) -> AsyncIterator[str]:
    """Serve what a proxy does that passes `/health` alone."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def other(_: Request) -> Response:
        return answer

    routes = [Route("/health", health), Route("/{path:path}", other, methods=["GET", "POST"])]
    async with running_server(Starlette(routes=routes)) as running:
        yield running.url


@pytest.mark.parametrize("answer", [PlainTextResponse("Log in first.", 401), PlainTextResponse("Not Found", 404)])
async def test_a_proxy_that_keeps_webhooks_back_is_found(server: RunningServer, answer: Response) -> None:
    settings = server.kernel.settings
    assert (await findings(settings))["webhook URL"][0] is State.OK
    async with proxy(answer) as url:
        found = await findings(settings.model_copy(update={"public_url": url}))
    assert found["public URL"][0] is State.WARNING
    state, detail, fix = found["webhook URL"]
    assert (state, str(answer.status_code) in detail, "proxy" in fix) == (State.BROKEN, True, True)


async def test_a_webhook_url_that_leads_nowhere_is_broken(server: RunningServer) -> None:
    settings = server.kernel.settings.model_copy(update={"public_url": "http://127.0.0.1:1"})
    found = await findings(settings)
    assert (found["public URL"][0], found["webhook URL"][0]) == (State.BROKEN, State.BROKEN)
