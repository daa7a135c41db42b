"""Coming in: the answer, the refusals that say nothing, and what happens to who guesses."""

import asyncio
import time
from statistics import median
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from elsehu.contracts.errors import TooMany
from elsehu.http.counting import network_of
from elsehu.identity.passwords import Verifier, hash_password
from elsehu.identity.throttle import Throttle
from elsehu.settings import SecuritySettings
from elsehu.testing.client import PASSWORD, ApiClient
from elsehu.testing.serving import RunningServer


async def log_in(server: RunningServer, email: str, password: str, address: str = "127.0.0.1") -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(verify=False, local_address=address)
    async with httpx.AsyncClient(base_url=server.url, transport=transport, timeout=30) as http:
        return await http.post("/api/auth/login", json={"email": email, "password": password})


def without_request_id(answer: httpx.Response) -> dict[str, Any]:
    return {key: value for key, value in answer.json().items() if key != "requestId"}


async def test_the_answer_has_a_pair_of_tokens_and_the_user(server: RunningServer, operator: ApiClient) -> None:
    answer = await log_in(server, operator.user["email"], PASSWORD)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert (body["tokenType"], body["expiresIn"]) == ("Bearer", 900)
    assert set(body["user"]) == {"id", "name", "email", "role", "isActive", "createdAt", "presence"}
    assert body["user"] == operator.user
    me = await operator.get("/api/auth/me", headers={"authorization": f"Bearer {body['accessToken']}"})
    assert me.json() == body["user"]


@pytest.mark.parametrize("respell", [str.upper, str.title, lambda email: f"  {email} "])
async def test_case_and_spaces_of_the_address_do_not_matter(
    server: RunningServer, operator: ApiClient, respell: Any
) -> None:
    assert (await log_in(server, respell(operator.user["email"]), PASSWORD)).status_code == 200


async def test_a_composed_letter_is_the_same_letter(server: RunningServer, admin: ApiClient) -> None:
    body = {"name": "É", "email": "e@example.com", "role": "OPERATOR", "password": "caf\u00e9 com leite"}
    assert (await admin.post("/api/users", body)).status_code == 201
    assert (await log_in(server, "e@example.com", "cafe\u0301 com leite")).status_code == 200


async def test_refusals_do_not_tell_why(server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
    wrong = await log_in(server, admin.user["email"], "not the password")
    unknown = await log_in(server, "nobody@example.com", PASSWORD)
    no_address = await log_in(server, "nobody", PASSWORD)
    await admin.post(f"/api/users/{operator.user['id']}/deactivate")
    inactive = await log_in(server, operator.user["email"], PASSWORD)
    assert [answer.status_code for answer in (wrong, unknown, no_address, inactive)] == [401] * 4
    assert without_request_id(wrong) == without_request_id(unknown) == without_request_id(inactive)
    assert without_request_id(wrong) == without_request_id(no_address)
    assert wrong.json()["code"] == "login_failed"


async def test_nobody_takes_as_long_as_somebody() -> None:
    security = SecuritySettings(argon2_memory_kib=32 * 1024, argon2_time=3)
    verifier = Verifier(security)
    stored = await hash_password(security, PASSWORD)
    await verifier.verify(None, "warm up")

    async def seconds(password_hash: str | None) -> float:
        started = time.perf_counter()
        assert not await verifier.verify(password_hash, "wrong")
        return time.perf_counter() - started

    pairs = [(await seconds(stored), await seconds(None)) for _ in range(9)]
    assert 0.5 < median(nobody / somebody for somebody, nobody in pairs) < 2
    assert median(nobody for _, nobody in pairs) > 0.01


class TestOverHttp:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {
            "security": {"argon2_memory_kib": 48 * 1024, "argon2_time": 3, "login_attempts_per_account": "99/minute"}
        }

    async def test_an_unknown_user_is_refused_as_slowly_as_a_wrong_password(
        self, server: RunningServer, operator: ApiClient
    ) -> None:
        async def seconds(email: str) -> float:
            started = time.perf_counter()
            assert (await log_in(server, email, "wrong password")).status_code == 401
            return time.perf_counter() - started

        pairs = [(await seconds(operator.user["email"]), await seconds("nobody@example.com")) for _ in range(7)]
        assert 0.5 < median(unknown / wrong for wrong, unknown in pairs) < 2


async def test_no_password_however_strange_breaks_the_login(server: RunningServer, operator: ApiClient) -> None:
    for password in ("\x00", "𝔘𝔫𝔦", "a" * 1000, "\u202e", " "):
        assert (await log_in(server, operator.user["email"], password)).status_code == 401


async def test_an_old_hash_is_renewed_at_login(server: RunningServer, operator: ApiClient) -> None:
    old = await hash_password(SecuritySettings(argon2_memory_kib=2048, argon2_time=2), PASSWORD)
    await server.kernel.db.execute("UPDATE users SET password_hash = $1", old)
    assert (await log_in(server, operator.user["email"], PASSWORD)).status_code == 200
    renewed = await server.kernel.db.fetch_value("SELECT password_hash FROM users")
    assert "m=1024,t=1" in renewed
    assert (await log_in(server, operator.user["email"], PASSWORD)).status_code == 200
    assert (await operator.get("/api/auth/me")).status_code == 200


async def test_ten_guesses_then_429(server: RunningServer, operator: ApiClient, admin: ApiClient) -> None:
    email = operator.user["email"]
    for _ in range(10):
        assert (await log_in(server, email, "wrong")).status_code == 401
    refused = await log_in(server, email, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(refused.headers["retry-after"]) <= 300
    assert (await log_in(server, admin.user["email"], PASSWORD)).status_code == 200, "another account is free"
    elsewhere = await log_in(server, email, PASSWORD, address="127.0.0.2")
    assert elsewhere.status_code == 200, "the owner is not locked out by somebody else's guesses"


async def test_parallel_guesses_are_counted_before_they_are_tried(server: RunningServer, operator: ApiClient) -> None:
    answers = await asyncio.gather(*(log_in(server, operator.user["email"], f"wrong {n}") for n in range(30)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 20


async def test_an_unknown_account_is_throttled_like_a_known_one(server: RunningServer) -> None:
    statuses = [(await log_in(server, "nobody@example.com", "wrong")).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


async def test_success_takes_the_failures_back(server: RunningServer, operator: ApiClient) -> None:
    for _ in range(3):
        for _ in range(9):
            assert (await log_in(server, operator.user["email"], "wrong")).status_code == 401
        assert (await log_in(server, operator.user["email"], PASSWORD)).status_code == 200


async def test_an_address_has_a_limit_over_all_accounts(server: RunningServer, operator: ApiClient) -> None:
    answers = await asyncio.gather(*(log_in(server, f"user{n}@example.com", "wrong") for n in range(49)))
    assert {answer.status_code for answer in answers} == {401}
    assert (await log_in(server, operator.user["email"], PASSWORD)).status_code == 200, "only failures count"
    assert (await log_in(server, "one.more@example.com", "wrong")).status_code == 401
    assert (await log_in(server, operator.user["email"], PASSWORD)).status_code == 429
    assert (await log_in(server, operator.user["email"], PASSWORD, address="127.0.0.3")).status_code == 200


async def test_without_redis_the_process_counts_by_itself() -> None:
    security = SecuritySettings(login_attempts_per_account="3/minute")
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        throttle = Throttle(nowhere, security)
        for _ in range(3):
            await throttle.count("a@example.com", "10.0.0.1")
        with pytest.raises(TooMany) as refused:
            await throttle.count("a@example.com", "10.0.0.1")
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 60
        await throttle.count("a@example.com", "10.0.0.2")
        await throttle.forgive("a@example.com", "10.0.0.1")
        await throttle.count("a@example.com", "10.0.0.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_line_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
