"""The first ADMIN: made once, from what is given or generated."""

import asyncio

import httpx
import pytest

from elsehu.contracts.errors import ConfigError
from elsehu.identity.bootstrap import FirstAdmin, ensure_first_admin
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer


async def ensure(kernel: Kernel, email: str | None = None, password: str | None = None) -> FirstAdmin | None:
    async with kernel.db.transaction() as uow:
        return await ensure_first_admin(uow, kernel.settings, email, password)


async def can_log_in(server: RunningServer, admin: FirstAdmin) -> bool:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.post("/api/auth/login", json={"email": admin.email, "password": admin.password})
    return answer.status_code == 200 and answer.json()["user"]["role"] == "ADMIN"


async def test_without_anything_given_a_password_is_generated(server: RunningServer) -> None:
    made = await ensure(server.kernel)
    assert made is not None and made.is_generated and len(made.password) >= 16
    assert await can_log_in(server, made)
    assert await ensure(server.kernel) is None


async def test_what_is_given_is_used(server: RunningServer) -> None:
    made = await ensure(server.kernel, "boss@example.com", "a good long password")
    assert made == FirstAdmin("boss@example.com", "a good long password", False)
    assert await can_log_in(server, made)


async def test_processes_that_start_together_make_one(server: RunningServer) -> None:
    made = await asyncio.gather(*(ensure(server.kernel) for _ in range(5)))
    assert sum(admin is not None for admin in made) == 1


async def test_where_there_is_an_admin_none_is_made(server: RunningServer, admin: ApiClient) -> None:
    assert await ensure(server.kernel, "boss@example.com", "a good long password") is None


@pytest.mark.parametrize(
    ("email", "password"),
    [("boss", "a good long password"), ("boss@example.com", "short"), ("TAKEN", "a good long password")],
)
async def test_what_will_not_do_is_refused_with_the_fix(
    server: RunningServer, operator: ApiClient, email: str, password: str
) -> None:
    with pytest.raises(ConfigError, match="ELSEHU_ADMIN_EMAIL or ELSEHU_ADMIN_PASSWORD"):
        await ensure(server.kernel, operator.user["email"] if email == "TAKEN" else email, password)
