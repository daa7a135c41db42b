"""The floors: (a) a bare Starlette route that parses a body and commits one INSERT, (b) SQL without a framework.

Run (a) as `uvicorn bench.floor:app` with `DATABASE_URL` set.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TABLE = "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, external_id text, body jsonb, at timestamptz DEFAULT now())"
INSERT = "INSERT INTO floor (external_id, body) VALUES ($1, $2)"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open a pool of the same size as Elsehu's."""
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=16) as pool:
        await pool.execute(TABLE)
        app.state.pool = pool
        yield


async def insert(request: Request) -> Response:
    """Parse the body, commit one row, answer."""
    body = await request.body()
    parsed = orjson.loads(body)
    await request.app.state.pool.execute(INSERT, parsed["data"]["key"]["id"], body.decode())
    return Response(b'{"status":"ok"}', media_type="application/json")


app = Starlette(routes=[Route("/floor", insert, methods=["POST"])], lifespan=lifespan)
