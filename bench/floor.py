"""Floor (a): a bare Starlette route that parses a body and commits one INSERT. Floor (c): a bare fan-out.

`uvicorn bench.floor:app`, with `DATABASE_URL` and `REDIS_URL` set. The fan-out hands each text that is published
on the channel `floor.<room>` to the sockets at `/floor/<room>`, and nothing else.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

TABLE = """
CREATE TABLE IF NOT EXISTS floor (
    id bigserial PRIMARY KEY, external_id text, body jsonb, at timestamptz DEFAULT now()
)
"""
INSERT = "INSERT INTO floor (external_id, body) VALUES ($1, $2)"
CHANNEL = "floor."


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open a pool of the same size as Elsehu's, and listen to Redis."""
    app.state.rooms = defaultdict(set)
    redis = Redis.from_url(os.environ["REDIS_URL"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=16) as pool, redis:
        await pool.execute(TABLE)
        app.state.pool = pool
        fan_out = asyncio.create_task(_fan_out(app, redis))
        yield
        fan_out.cancel()


async def _fan_out(app: Starlette, redis: Redis) -> None:
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.psubscribe(CHANNEL + "*")
        async for message in pubsub.listen():
            text = message["data"].decode()
            for websocket in app.state.rooms[message["channel"].decode().removeprefix(CHANNEL)]:
                await websocket.send_text(text)


async def insert(request: Request) -> Response:
    """Parse the body, commit one row, answer."""
    body = await request.body()
    parsed = orjson.loads(body)
    await request.app.state.pool.execute(INSERT, parsed["data"]["key"]["id"], body.decode())
    return Response(b'{"status":"ok"}', media_type="application/json")


async def alive(_: Request) -> Response:
    """Answer that the process serves."""
    return Response(b"ok")


async def listen(websocket: WebSocket) -> None:
    """Be in a room until the client goes."""
    await websocket.accept()
    room: set[WebSocket] = websocket.app.state.rooms[websocket.path_params["room"]]
    room.add(websocket)
    try:
        async for _ in websocket.iter_text():
            pass
    finally:
        room.discard(websocket)


app = Starlette(
    routes=[
        Route("/floor", insert, methods=["POST"]),
        Route("/health", alive),
        WebSocketRoute("/floor/{room}", listen),
    ],
    lifespan=lifespan,
)
