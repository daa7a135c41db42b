"""What the desk's tests share: a number, people, and conversations with customers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from elsehu.ids import new_token
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

Conversation = Callable[..., Awaitable[str]]


@pytest.fixture
async def number(admin: ApiClient) -> UUID:
    """A number that customers write to."""
    return await add_number(admin)


@pytest.fixture
async def supervisor(server: RunningServer) -> AsyncIterator[ApiClient]:
    """A logged-in SUPERVISOR."""
    async with log_in_as(server, "SUPERVISOR") as client:
        yield client


@pytest.fixture
async def colleague(server: RunningServer) -> AsyncIterator[ApiClient]:
    """Another logged-in OPERATOR."""
    async with log_in_as(server, "OPERATOR") as client:
        yield client


@pytest.fixture
def waiting(server: RunningServer, number: UUID) -> Conversation:
    """Return a function that makes a queued conversation with a new customer."""

    async def make(words: str = "hello") -> str:
        digits = f"55119{int.from_bytes(new_token(8).encode()[:4]) % 10**8:08}"
        return str(await customer_writes(server, number, digits, words))

    return make


@pytest.fixture
async def tabulation(admin: ApiClient) -> dict[str, Any]:
    """An active tabulation that demands nothing."""
    answer = await admin.post("/api/tabulations", {"name": "Resolved"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def taken(client: ApiClient, conversation: str) -> str:
    """Have `client` take a queued conversation; return its id."""
    answer = await client.post(f"/api/conversations/{conversation}/assign")
    assert answer.status_code == 200, answer.text
    return conversation


async def closed(client: ApiClient, conversation: str, tabulation: dict[str, Any]) -> str:
    """Have `client` close a conversation; return its id."""
    answer = await client.post(f"/api/conversations/{conversation}/close", {"tabulationId": tabulation["id"]})
    assert answer.status_code == 200, answer.text
    return conversation


async def events_of(server: RunningServer, conversation: str) -> list[tuple[str, Any]]:
    """Return the types and data of the events of a conversation that nobody's message caused."""
    sql = "SELECT type, data FROM events WHERE conversation_id = $1 AND type LIKE 'conversation:%' ORDER BY seq"
    rows = await server.kernel.db.fetch(sql, UUID(conversation))
    return [(row["type"], row["data"]) for row in rows]


async def history(client: ApiClient, conversation: str) -> list[dict[str, Any]]:
    """Return a conversation's timeline, newest first."""
    answer = await client.get(f"/api/conversations/{conversation}/history")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
