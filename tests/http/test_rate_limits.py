"""Who asks too often is told to wait, alone: nobody else is, and no other kind of request."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from elsehu.contracts.errors import TooMany
from elsehu.embedded import EmbeddedServices
from elsehu.http import counting
from elsehu.http.rate_limits import RateLimits
from elsehu.settings import RateLimitSettings
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

DAY = "/day"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"rate_limits": {"read": "3/day", "write": "2/day", "heavy": "1/day", "anonymous": "4/day"}}


async def test_each_caller_has_a_limit_of_their_own_for_each_class(
    server: RunningServer, admin: ApiClient, operator: ApiClient
) -> None:
    answers = [await admin.get("/api/conversations") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await operator.get("/api/conversations")).status_code == 200
    assert (await admin.post("/api/tabulations", {"name": "A reason"})).status_code == 201


async def test_files_count_for_themselves(server: RunningServer, admin: ApiClient) -> None:
    files = {"file": ("a.txt", b"hello", "text/plain")}
    assert [(await admin.http.post("/api/media", files=files)).status_code for _ in range(2)] == [201, 429]


async def test_strangers_share_their_addresss_limit(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        tries = [await http.post("/api/auth/refresh", json={"refreshToken": "x"}) for _ in range(5)]
    assert [one.status_code for one in tries] == [401, 401, 401, 401, 429]


async def test_who_guesses_tokens_or_webhooks_secrets_is_told_to_wait(server: RunningServer, admin: ApiClient) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for ask in (
            lambda: http.get("/api/conversations", headers={"authorization": "Bearer elk_guess"}),
            lambda: http.post("/api/webhooks/sandbox", json={}),
        ):
            assert [(await ask()).status_code for _ in range(5)] == [401, 401, 401, 401, 429]
    assert (await admin.get("/api/conversations")).status_code == 200, "who has a token is not touched by that"


async def test_a_redis_that_is_late_lets_no_more_through(
    services: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "REDIS_TIMEOUT", 0.05)
    async with Redis.from_url(services.redis_url) as redis:
        rates = RateLimits(redis, RateLimitSettings(read="3" + DAY))
        allowed = [await _count(rates, "late"), await _count(rates, "late")]
        await redis.execute_command("CLIENT", "PAUSE", 300, "ALL")
        allowed += [await _count(rates, "late") for _ in range(3)]
        await redis.ping()
        allowed.append(await _count(rates, "late"))
    assert allowed == [True, True, True, False, False, False]


async def test_processes_share_a_limit_and_take_it_in_blocks(services: EmbeddedServices) -> None:
    async with Redis.from_url(services.redis_url) as redis:
        settings = RateLimitSettings(read="2000" + DAY)
        first, second = RateLimits(redis, settings), RateLimits(redis, settings)
        taken = [await _count(one, "who") for _ in range(1100) for one in (first, second)]
    assert sum(taken) == 2000


async def test_without_redis_each_process_counts_alone() -> None:
    nowhere = Redis(host="127.0.0.1", port=1)
    rates = RateLimits(nowhere, RateLimitSettings(read="2" + DAY))
    assert [await _count(rates, "who") for _ in range(3)] == [True, True, False]
    assert await _count(rates, "somebody else")


async def test_an_empty_limit_is_none() -> None:
    rates = RateLimits(Redis(host="127.0.0.1", port=1), RateLimitSettings(read=""))
    async with asyncio.timeout(1):
        assert all([await _count(rates, "who") for _ in range(1000)])


async def _count(rates: RateLimits, who: str) -> bool:
    try:
        await rates.count("read", who)
    except TooMany:
        return False
    return True
