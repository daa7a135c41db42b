"""An API client for tests: JSON in, JSON out, logged in as somebody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from elsehu.ids import new_token
from elsehu.testing.serving import RunningServer

PASSWORD = "correct horse battery"

LIMITS = httpx.Limits(keepalive_expiry=2)
"""A connection that idles longer than the server waits (5 s) may be closed in the moment in which it is used."""


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A logged-in client: `get`, `post`, … return httpx responses; `user` is who is logged in."""

    http: httpx.AsyncClient
    user: dict[str, Any]
    token: str
    refresh_token: str

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET `path`."""
        return await self.http.get(path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """POST JSON to `path`."""
        return await self.http.post(path, json=json, **options)

    async def patch(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """PATCH `path` with JSON."""
        return await self.http.patch(path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        """DELETE `path`."""
        return await self.http.delete(path, **options)


@asynccontextmanager
async def log_in_as(server: RunningServer, role: str, name: str | None = None) -> AsyncIterator[ApiClient]:
    """Make a user with `role` and log in through the API."""
    from elsehu.identity import users

    name = name or f"{role.title()} {new_token(3)}"
    email = f"{new_token(6).lower().strip('-_')}@example.com"
    async with server.kernel.db.transaction() as uow:
        await users.create(uow, server.kernel.settings, name=name, email=email, password=PASSWORD, role=role)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=LIMITS) as http:
        answer = await http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        answer.raise_for_status()
        body = answer.json()
        http.headers["authorization"] = f"Bearer {body['accessToken']}"
        yield ApiClient(http, body["user"], body["accessToken"], body["refreshToken"])
