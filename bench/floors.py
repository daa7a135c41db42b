"""Runs the process of the floors (bench/floor.py), served as Elsehu is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import processes
from bench.place import Place

UVICORN = ("-m", "uvicorn", "bench.floor:app", "--loop", "uvloop", "--http", "httptools", "--no-access-log")
SOCKETS = ("--ws", "websockets-sansio", "--ws-per-message-deflate", "false")


@asynccontextmanager
async def running_floor(place: Place, database_url: str) -> AsyncIterator[int]:
    """Serve the floors on `database_url`; yields the port."""
    port = processes.free_port()
    own = {"DATABASE_URL": database_url, "REDIS_URL": place.services.redis_url}
    command = [*UVICORN, *SOCKETS, "--port", str(port), "--log-level", "warning"]
    async with processes.running(command, place.folder, own, log="floor.log") as process:
        await processes.answers(process, port)
        yield port
