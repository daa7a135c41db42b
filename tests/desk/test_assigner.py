"""A whole web process that gives conversations away: to whoever has a socket open, at once, and to nobody else."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.desk.automatic import assigner
from elsehu.embedded import EmbeddedServices
from elsehu.realtime import presence
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer
from elsehu.testing.sockets import socket_to

from .conftest import Conversation, history


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"desk": {"assignment": "round_robin", "offline_minutes": 1.0}}


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LINGERING_SECONDS", 0.0)
    monkeypatch.setattr(presence, "RENEWED_SECONDS", 0.3)
    monkeypatch.setattr(presence, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(assigner, "SWEEP_SECONDS", 0.1)


async def owner(client: ApiClient, conversation: str) -> str | None:
    shown = (await client.get(f"/api/conversations/{conversation}")).json()["assignedTo"]
    return shown and str(shown["id"])


async def comes_to(client: ApiClient, conversation: str, user: str | None) -> None:
    async with asyncio.timeout(20):
        while await owner(client, conversation) != user:
            await asyncio.sleep(0.02)


async def known(server: RunningServer, user: str, status: str) -> None:
    """Wait until the desk knows how somebody is."""
    sql = "SELECT presence FROM desk_operators WHERE user_id = $1"
    async with asyncio.timeout(20):
        while await server.kernel.db.fetch_value(sql, UUID(user)) != status:
            await asyncio.sleep(0.02)


async def test_conversations_go_to_who_is_there_and_back_from_who_is_gone(
    server: RunningServer,
    services: EmbeddedServices,
    admin: ApiClient,
    operator: ApiClient,
    colleague: ApiClient,
    waiting: Conversation,
) -> None:
    early = await waiting()
    async with socket_to(server, operator.token) as mine:
        await comes_to(admin, early, operator.user["id"])
        async with socket_to(server, colleague.token):
            await known(server, colleague.user["id"], "online")
            given = [await waiting() for _ in range(2)]
            for conversation, user in zip(given, (colleague, operator), strict=True):
                await comes_to(admin, conversation, user.user["id"])
            await mine.ask("operator:status", {"status": "away"})
            await known(server, operator.user["id"], "away")
            late = [await waiting() for _ in range(2)]
            for conversation in late:
                await comes_to(admin, conversation, colleague.user["id"])
            reasons = (await history(colleague, late[0]))[0]["details"]["automatic"]
            assert (reasons["rule"], reasons["reasons"][-1]) == ("round_robin", "one of 1 who were free")

            services.restart_valkey()
            everybody = [early, *given, *late]
            before = [await owner(admin, conversation) for conversation in everybody]
            await known(server, colleague.user["id"], "online")
            assert [await owner(admin, conversation) for conversation in everybody] == before
        await known(server, colleague.user["id"], "offline")
        unanswered = await waiting()
        await long_ago(server)
        await comes_to(admin, late[0], None)
        assert await owner(admin, unanswered) is None
        assert await owner(admin, early) == operator.user["id"], "he is there, if away"
        assert (await history(admin, late[0]))[0]["details"]["reason"] == "offline"


async def long_ago(server: RunningServer) -> None:
    """Let a minute and more have passed: since people came and went, got conversations, and since we look."""
    ago = timedelta(minutes=2)
    await server.kernel.db.execute("UPDATE desk_operators SET presence_since = presence_since - $1::interval", ago)
    await server.kernel.db.execute("UPDATE conversations SET assigned_at = assigned_at - $1::interval", ago)
    own = server.kernel.part(assigner.Assigner)
    assert own._known_since
    own._known_since -= ago


async def test_without_redis_nobody_is_given_anything(
    server: RunningServer, operator: ApiClient, number: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with socket_to(server, operator.token):
        await known(server, operator.user["id"], "online")
        own = server.kernel.part(assigner.Assigner)
        with monkeypatch.context() as away:
            looks = 0

            async def fails(*_: Any) -> None:
                nonlocal looks
                looks += 1
                raise ConnectionError("Redis is away")

            away.setattr(server.kernel.redis, "hgetall", fails)
            async with asyncio.timeout(10):
                while own._known_since is not None:
                    await asyncio.sleep(0.02)
            conversation = str(await customer_writes(server, number, "5511977770001"))
            before = looks
            async with asyncio.timeout(10):
                while looks < before + 3:
                    await asyncio.sleep(0.02)
            assert await owner(operator, conversation) is None
        await comes_to(operator, conversation, operator.user["id"])
