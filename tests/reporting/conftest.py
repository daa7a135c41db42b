"""What the tests of reports share: one server with generated histories, and the raw rows beside it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

from . import histories, naive


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Business hours with a lunch break and holidays."""
    hours = {"ranges": ["mon-fri 08:00-12:00 13:30-18:00", "sat 09:00-12:15"], "holidays": ["2026-11-20", "12-25"]}
    return {"business_hours": hours}


@pytest.fixture
async def supervisor(server: RunningServer) -> AsyncIterator[ApiClient]:
    """A logged-in SUPERVISOR."""
    async with log_in_as(server, "SUPERVISOR") as client:
        yield client


@pytest.fixture
async def history(server: RunningServer) -> list[naive.Conversation]:
    """A hundred and twenty conversations with generated histories, as the plain reading has them."""
    async with server.kernel.db.pool.acquire() as connection:
        await histories.write(connection, histories.generate(seed=7, count=120))
        return await naive.conversations(connection)
