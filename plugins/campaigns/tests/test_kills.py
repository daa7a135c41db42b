"""kill -9 of web, worker and scheduler in a campaign through a provider that fails, dawdles and loses answers.

Nobody gets it twice; who did not get it says so; and it finishes without a human. A few kills by default; with
`pytest plugins/campaigns/tests/test_kills.py --campaign-kills 20` as many as you like.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin

from elsehu.testing.databases import Services

from .processes import KINDS, Processes
from .world import csv_of, people

SENDING = "POST /message/sendText/*"
SEND_TIMEOUT = 2
IN_FLIGHT = "SELECT count(*) FROM messages WHERE status = 'sending'"
ARRIVED = ("sent", "delivered", "read", "replied")


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.2) as running:
        yield running


@pytest.fixture
async def processes(services: Services, database_url: str, tmp_path: Path) -> AsyncIterator[Processes]:
    async with Processes(services, database_url, tmp_path, ELSEHU_MESSAGING__SEND_TIMEOUT=str(SEND_TIMEOUT)) as running:
        yield running


async def connected(processes: Processes, standin: EvolutionStandin) -> str:
    """Connect a number and return its id."""
    standin.add_instance("wa", phone="5511955550001")
    credentials = {"serverUrl": standin.url, "apiKey": standin.global_key, "instanceName": "wa"}
    body = {"name": "wa", "phone": "+5511955550001", "provider": "evolution", "credentials": credentials}
    number = await processes.call("POST", "/api/service-instances", json=body)
    async with asyncio.timeout(30):
        while number["status"] != "connected":
            await asyncio.sleep(0.1)
            number = await processes.call("GET", f"/api/service-instances/{number['id']}")
    return str(number["id"])


def misbehave(standin: EvolutionStandin) -> list[str]:
    """Let the provider fail, dawdle and lose answers, at random; return the faults that lose some."""
    faults = standin.faults
    faults.answer(SENDING, 503, times=None, probability=0.08)
    faults.answer(SENDING, 400, {"message": "refused"}, times=None, probability=0.03)
    faults.delay(SENDING, 0.5, times=None, probability=0.3)
    lost = {"times": None, "probability": 0.02}
    return [
        faults.accept_and_hang(SENDING, 2 * SEND_TIMEOUT, **lost),
        faults.hang(SENDING, 2 * SEND_TIMEOUT, **lost),
        faults.accept_and_close(SENDING, **lost),
        faults.malformed(SENDING, **lost),
    ]


async def started(processes: Processes, number: str, phones: list[str]) -> str:
    upload = {"file": ("people.csv", csv_of(phones).encode(), "text/csv")}
    file_id = (await processes.call("POST", "/api/campaigns/upload", files=upload))["fileId"]
    body = {
        "name": "Through it all",
        "serviceInstanceId": number,
        "text": "Olá {{Celular}}",
        "fileId": file_id,
        "delaySeconds": 0.03,
    }
    campaign = await processes.call("POST", "/api/campaigns", json=body)
    await processes.call("POST", f"/api/campaigns/{campaign['id']}/start")
    return str(campaign["id"])


async def kill_now_and_then(processes: Processes, kills: int, database: asyncpg.Connection) -> int:
    """Kill one process after the other, each kind in turn, at random moments; return the calls that were in flight."""
    rng, in_flight = random.Random(20261123), 0
    for number in range(kills):
        await asyncio.sleep(rng.uniform(0.5, 2.5))
        kind = KINDS[number % 3] if kills <= len(KINDS) else rng.choice(KINDS)
        await processes.kill(kind)
        if kind == "web":
            in_flight += await database.fetchval(IN_FLIGHT)
        processes.start(kind)
    return in_flight


async def finished(processes: Processes, campaign: str) -> dict[str, Any]:
    """Wait until the campaign is over and every lost answer has been looked for."""
    async with asyncio.timeout(300):
        while True:
            shown: dict[str, Any] = await processes.call("GET", f"/api/campaigns/{campaign}")
            stats = shown["stats"]
            others = stats["pending"] + sum(stats[name] for name in (*ARRIVED, "failed", "unconfirmed", "cancelled"))
            assert stats["total"] == others + sum(stats["skipped"].values())
            if shown["state"] == "finished":
                return shown
            assert shown["state"] == "running", shown
            await asyncio.sleep(0.25)


async def test_a_campaign_survives_kills(
    request: pytest.FixtureRequest, processes: Processes, standin: EvolutionStandin, database_url: str
) -> None:
    kills: int = request.config.getoption("campaign_kills", 3)
    phones = people(100 * kills)
    number = await connected(processes, standin)
    losing = misbehave(standin)
    database = await asyncpg.connect(database_url)
    campaign = await started(processes, number, phones)
    in_flight = await kill_now_and_then(processes, kills, database)
    await finished(processes, campaign)
    await database.close()
    lost = sum(standin.faults.hits(one) for one in losing)
    recipients = await processes.everything(f"/api/campaigns/{campaign}/recipients")
    check(recipients, phones, Counter(one.text for one in standin.phone), in_flight + lost)
    unconfirmed = sum(one["status"] == "unconfirmed" for one in recipients)
    print(f"{kills} kills, {in_flight} calls in flight at them, {lost} answers lost, {unconfirmed} unconfirmed")


def check(recipients: list[dict[str, Any]], phones: list[str], arrived: "Counter[str]", most_unconfirmed: int) -> None:
    assert [one["phone"] for one in recipients] == phones
    assert set(arrived.values()) <= {1}, "nobody got it twice"
    assert set(arrived) <= {one["text"] for one in recipients}
    for one in recipients:
        assert one["status"] in (*ARRIVED, "failed", "unconfirmed"), one
        assert one["status"] in ("failed", "unconfirmed") or arrived[one["text"]] == 1, one
        assert one["status"] != "failed" or arrived[one["text"]] == 0, one
    assert sum(one["status"] == "unconfirmed" for one in recipients) <= most_unconfirmed
