"""Very many WebSocket clients in a process of their own, that cost little: they only note what came, and when.

`python -m bench.listeners` reads one JSON plan from standard input, prints `ready` once every socket is open and has
sent its greeting, listens until standard input ends, and prints one JSON line: `[[text, seconds], …]`.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.websocket import Client, Socket

ROOT = Path(__file__).parent.parent
AT_ONCE = 50

Note = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """`mark` is in every frame that counts; of each, the `length` letters behind it are noted."""

    port: int
    clients: list[Client]
    mark: str
    length: int


async def listen(plan: Plan) -> list[Note]:
    """Open every socket, listen until standard input ends, and return what came."""
    notes: list[Note] = []
    mark = plan.mark.encode()

    def heard(frame: bytes, now: float) -> None:
        _, is_marked, rest = frame.partition(mark)
        if is_marked:
            notes.append((rest[: plan.length].decode(), now))

    for start in range(0, len(plan.clients), AT_ONCE):
        await asyncio.gather(*(_opened(client, plan, heard) for client in plan.clients[start : start + AT_ONCE]))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    return notes


async def _opened(client: Client, plan: Plan, heard: Callable[[bytes, float], None]) -> None:
    socket = Socket(client, heard)
    await asyncio.get_running_loop().create_connection(lambda: socket, "127.0.0.1", plan.port)
    await socket.ready


def main() -> None:
    """Listen as the plan on the first line of standard input says."""
    import uvloop

    read = json.loads(sys.stdin.readline())
    plan = Plan(read["port"], [Client(**one) for one in read["clients"]], read["mark"], read["length"])
    print(json.dumps(uvloop.run(listen(plan))))


@dataclass(frozen=True, slots=True)
class Listeners:
    """The running process."""

    process: asyncio.subprocess.Process

    async def notes(self) -> list[Note]:
        """End the listening; return what came, with the time of the machine's monotonic clock."""
        printed, _ = await self.process.communicate(b"")
        return [(text, at) for text, at in json.loads(printed)]


@asynccontextmanager
async def listening(plan: Plan) -> AsyncIterator[Listeners]:
    """Run the clients of `plan`; they are ready when the block begins."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**26
    )
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
    await process.stdin.drain()
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError("the sockets could not be opened")
    try:
        yield Listeners(process)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    main()
