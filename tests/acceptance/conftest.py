"""A whole server, an Evolution stand-in, and a number connected between them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin

from elsehu.testing.client import ApiClient


@dataclass(frozen=True)
class Number:
    """A number at the stand-in: its id here, and where and how the provider posts its webhooks."""

    id: str
    name: str
    webhook_url: str
    headers: dict[str, str]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["evolution", "sandbox", "storage_local"]}}


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.05) as running:
        yield running


@pytest.fixture
async def number(admin: ApiClient, standin: EvolutionStandin) -> Number:
    return await connect_number(admin, standin, "wa")


async def connect_number(admin: ApiClient, standin: EvolutionStandin, name: str) -> Number:
    """Add a number over the API, scan its QR code at the stand-in, and wait until it is connected."""
    answer = await admin.post(
        "/api/service-instances",
        {
            "name": name,
            "phone": "+5511955550001",
            "provider": "evolution",
            "credentials": {"serverUrl": standin.url, "apiKey": standin.global_key, "instanceName": name},
        },
    )
    assert answer.status_code == 201, answer.text
    instance_id = answer.json()["id"]
    await standin.eventually(lambda: standin.state(name) is not None)
    standin.scan(name)
    await until_connected(admin, instance_id)
    webhook = configured_webhook(standin, name)
    return Number(instance_id, name, webhook["url"], webhook["headers"])


async def until_connected(admin: ApiClient, instance_id: str) -> None:
    import asyncio

    async with asyncio.timeout(15):
        while True:
            status = (await admin.get(f"/api/service-instances/{instance_id}/status")).json()
            if status.get("status") == "connected":
                return
            await asyncio.sleep(0.05)


def configured_webhook(standin: EvolutionStandin, name: str) -> dict[str, Any]:
    """Return the webhook configuration that the provider was given last."""
    found: dict[str, Any] = {}
    for request in standin.requests:
        body = request.body if isinstance(request.body, dict) else {}
        if "webhook" in body and (body.get("instanceName") == name or request.path.endswith(f"/{name}")):
            found = body["webhook"]
    assert found, "the webhook was never configured"
    return found


@pytest.fixture
async def provider(number: Number) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that posts webhooks as the provider would."""
    async with httpx.AsyncClient(headers=number.headers, timeout=30) as client:
        yield client
