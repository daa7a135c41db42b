"""kill -9 at random moments: what got a 200 is there once, what was accepted leaves at most once, and all goes on."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin
from hypothesis import settings

from elsehu.background import woken

from .installation import AWAY_SECONDS, Installation

EFFORT = 3 if settings.get_current_profile_name() == "thorough" else 1
KILLS = 3 * EFFORT
DELIVERIES = 1000 * EFFORT
SENDS = 300 * EFFORT
CUSTOMERS = 40
ON_ITS_WAY = ("pending", "sending")


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.2) as running:
        yield running


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation(tmp_path, ELSEHU_MESSAGING__SEND_TIMEOUT="4") as running:
        await running.log_in()
        yield running


async def connect(installation: Installation, standin: EvolutionStandin) -> dict[str, Any]:
    """Connect a number and return the webhook that its provider was told."""
    instance = await installation.call(
        "POST",
        "/api/service-instances",
        json={
            "name": "wa",
            "phone": "+5511955550001",
            "provider": "evolution",
            "credentials": {"serverUrl": standin.url, "apiKey": standin.global_key, "instanceName": "wa"},
        },
    )
    await standin.eventually(lambda: standin.state("wa"))
    await asyncio.to_thread(standin.scan, "wa")
    async with asyncio.timeout(20):
        status = f"/api/service-instances/{instance['id']}/status"
        while (await installation.call("GET", status))["status"] != "connected":
            await asyncio.sleep(0.1)
    told = [r.body["webhook"] for r in standin.requests if isinstance(r.body, dict) and "webhook" in r.body]
    return {"id": instance["id"], **told[-1]}


async def kill_now_and_then(installation: Installation, rng: random.Random, done: asyncio.Event) -> None:
    """Kill and start again KILLS times, at random moments of work."""
    for _ in range(KILLS):
        if await woken(done, rng.uniform(0.3, 1.5)):
            return
        installation.kill()
        await installation.start()


def webhook_of(number: int) -> dict[str, Any]:
    customer = number % CUSTOMERS + 1
    return {
        "event": "messages.upsert",
        "instance": "wa",
        "data": {
            "key": {"remoteJid": f"55119{customer:08d}@s.whatsapp.net", "fromMe": False, "id": f"IN{number}"},
            "pushName": f"Customer {customer}",
            "message": {"conversation": f"text {number}"},
            "messageType": "conversation",
            "messageTimestamp": 1795443300 + number,
        },
    }


async def deliver_until_taken(http: httpx.AsyncClient, url: str, headers: dict[str, str], body: dict[str, Any]) -> None:
    """Deliver as a provider does: again until there is a 200."""
    while True:
        try:
            answer = await http.post(url, json=body, headers=headers)
            if answer.status_code == 200:
                return
            assert answer.status_code in (502, 503), answer.text
        except httpx.HTTPError:
            await asyncio.sleep(AWAY_SECONDS)
        await asyncio.sleep(0.05)


async def test_inbound_and_outbound_survive_being_killed(installation: Installation, standin: EvolutionStandin) -> None:
    rng = random.Random(20261123)
    webhook = await connect(installation, standin)
    await deliver_everything(installation, webhook, rng)
    stored = await all_messages(installation)
    inbound = Counter(message["externalId"] for message in stored if message["direction"] == "INBOUND")
    assert inbound == Counter({f"IN{number}": 1 for number in range(DELIVERIES)})

    accepted = await send_everything(installation, rng)
    rows = await settled_messages(installation, accepted)
    check_sends(rows, standin, accepted)


async def deliver_everything(installation: Installation, webhook: dict[str, Any], rng: random.Random) -> None:
    done = asyncio.Event()
    killer = asyncio.create_task(kill_now_and_then(installation, rng, done))
    numbers = iter(range(DELIVERIES))
    async with httpx.AsyncClient(timeout=10) as http:

        async def deliver() -> None:
            for number in numbers:
                await deliver_until_taken(http, webhook["url"], webhook["headers"], webhook_of(number))

        await asyncio.gather(*(deliver() for _ in range(16)))
    done.set()
    await killer


async def conversations_of_number(installation: Installation) -> list[dict[str, Any]]:
    """Return the conversations on the Evolution number, without those of the first start's sandbox."""
    conversations = await installation.everything("/api/conversations")
    return [one for one in conversations if one["serviceInstance"]["provider"] == "evolution"]


async def all_messages(installation: Installation) -> list[dict[str, Any]]:
    conversations = await conversations_of_number(installation)
    assert len(conversations) == CUSTOMERS
    return [
        message
        for conversation in conversations
        for message in await installation.everything(f"/api/messages/conversation/{conversation['id']}")
    ]


async def send_everything(installation: Installation, rng: random.Random) -> set[str]:
    """Send SENDS messages, each repeated with its client id until it is accepted. Returns their ids."""
    conversations = [one["id"] for one in await conversations_of_number(installation)]
    done = asyncio.Event()
    killer = asyncio.create_task(kill_now_and_then(installation, rng, done))
    numbers = iter(range(SENDS))
    accepted: set[str] = set()

    async def send() -> None:
        for number in numbers:
            body = {
                "conversationId": conversations[number % len(conversations)],
                "text": f"answer {number}",
                "clientId": f"client-{number}",
            }
            accepted.add((await installation.call("POST", "/api/messages/send", json=body))["id"])

    await asyncio.gather(*(send() for _ in range(16)))
    done.set()
    await killer
    return accepted


async def settled_messages(installation: Installation, accepted: set[str]) -> list[dict[str, Any]]:
    """Wait until nothing is on its way any more, and return the outbound messages."""
    async with asyncio.timeout(90):
        while True:
            rows = [one for one in await all_messages(installation) if one["direction"] == "OUTBOUND"]
            waiting = next((one for one in rows if one["status"] in ON_ITS_WAY), None)
            if waiting is None:
                return rows
            while (await installation.call("GET", f"/api/messages/{waiting['id']}"))["status"] in ON_ITS_WAY:
                await asyncio.sleep(0.2)


def check_sends(rows: list[dict[str, Any]], standin: EvolutionStandin, accepted: set[str]) -> None:
    assert len(accepted) == SENDS
    assert {row["id"] for row in rows} == accepted, "what an operator sees is what was accepted, once each"
    arrived = Counter(delivered.text for delivered in standin.phone)
    assert set(arrived.values()) == {1}, "nobody got anything twice"
    assert [row["error"] for row in rows if row["status"] == "failed"] == []
    missing = [row for row in rows if row["text"] not in arrived]
    assert {row["status"] for row in missing} <= {"unconfirmed"}, "what did not arrive says that it is open"
    assert len(missing) <= KILLS * 64
