"""A lean load driver in a process of its own: raw HTTP/1.1 over kept connections, so that it costs little itself.

`python -m bench.driver` reads one JSON plan from standard input and prints one JSON line of results.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. `@N@` in path or body is the request's number; `@M@` is the number modulo `modulo`."""

    host: str
    port: int
    method: str
    path: str
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 64
    requests: int = 10_000
    first: int = 0
    modulo: int = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Requests a second, latencies in milliseconds, and answers by status."""

    rate: float
    p50: float
    p95: float
    p99: float
    statuses: dict[str, int]

    @classmethod
    def of(cls, latencies: list[float], statuses: dict[str, int], seconds: float) -> "Outcome":
        """Return what `latencies` (seconds) and `statuses` of a run of `seconds` come to."""
        ordered = sorted(latencies)

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

        return cls(round(len(ordered) / seconds, 1), at(0.5), at(0.95), at(0.99), statuses)


def request_bytes(plan: Plan, number: int) -> bytes:
    """Return one whole request."""

    def fill(text: str) -> str:
        return text.replace("@N@", str(number)).replace("@M@", str(number % plan.modulo))

    body = fill(plan.body).encode()
    lines = [f"{plan.method} {fill(plan.path)} HTTP/1.1", f"host: {plan.host}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in plan.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read one answer with a content-length and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    if length:
        await reader.readexactly(length)
    return int(head[9:12])


async def connection(plan: Plan, numbers: Iterator[int], latencies: list[float], statuses: dict[str, int]) -> None:
    """Send requests one after another over one connection."""
    reader, writer = await asyncio.open_connection(plan.host, plan.port)
    for number in numbers:
        data = request_bytes(plan, number)
        started = time.perf_counter()
        writer.write(data)
        status = str(await read_answer(reader))
        latencies.append(time.perf_counter() - started)
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()


async def drive(plan: Plan) -> Outcome:
    """Carry out a plan."""
    numbers = iter(range(plan.first, plan.first + plan.requests))
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    started = time.perf_counter()
    await asyncio.gather(*(connection(plan, numbers, latencies, statuses) for _ in range(plan.connections)))
    return Outcome.of(latencies, statuses, time.perf_counter() - started)


def main() -> None:
    """Drive the plan on standard input."""
    import uvloop

    plan: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(asdict(uvloop.run(drive(Plan(**plan))))))


if __name__ == "__main__":
    main()
