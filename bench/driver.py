"""A lean load driver in a process of its own: raw HTTP/1.1 over kept connections, so that it costs little itself.

`python -m bench.driver` reads one JSON plan from standard input and prints one JSON line of results.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parent.parent
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send.

    In path and body `@N@` is the request's number, `@V@` its value of `values`, in turn, and `@T@` a time in epoch
    seconds that moves on by one every hundred requests, from `clock`.
    """

    port: int
    path: str
    method: str = "POST"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    values: list[str] = field(default_factory=lambda: [""])
    clock: int = 0
    connections: int = 64
    requests: int = 10_000
    first: int = 0


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
            return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

        return cls(len(ordered) / seconds, at(0.5), at(0.95), at(0.99), statuses)


def requests_of(plan: Plan) -> Iterator[bytes]:
    """Yield the whole requests of a plan."""
    for number in range(plan.first, plan.first + plan.requests):
        places = {
            "@N@": str(number),
            "@V@": plan.values[number % len(plan.values)],
            "@T@": str(plan.clock + number // 100),
        }
        path, body = (_filled(part, places) for part in (plan.path, plan.body))
        headers = {**plan.headers, "host": "127.0.0.1", "content-length": str(len(body.encode()))}
        lines = [f"{plan.method} {path} HTTP/1.1", *(f"{name}: {one}" for name, one in headers.items())]
        yield ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _filled(template: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        template = template.replace(place, value)
    return template


class Connection(asyncio.Protocol):
    """Sends one request after another and takes the time of each."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], statuses: dict[str, int]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._statuses = statuses
        self._answer = b""
        self._sent_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one; answers have a content-length."""
        self._answer += data
        head, end, body = self._answer.partition(HEAD_END)
        if end and len(body) >= _length(head):
            self._latencies.append(time.perf_counter() - self._sent_at)
            status = head[9:12].decode()
            self._statuses[status] = self._statuses.get(status, 0) + 1
            self._answer = b""
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """End; a connection that breaks spoils the measurement."""
        if error or self._answer:
            self.done.set_exception(error or ConnectionResetError("the server closed the connection"))
        else:
            self.done.set_result(None)


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(LENGTH)
    return int(lower[start + len(LENGTH) :].partition(b"\r\n")[0]) if start >= 0 else 0


async def drive(plan: Plan) -> Outcome:
    """Carry out a plan."""
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    requests = iter(list(requests_of(plan)))
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Connection(requests, latencies, statuses), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    return Outcome.of(latencies, statuses, time.perf_counter() - started)


async def driven(plan: Plan, status: int) -> Outcome:
    """Carry out a plan in a process of its own. Raises RuntimeError for any other answer than `status`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.driver", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    printed, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    outcome = Outcome(**json.loads(printed))
    if set(outcome.statuses) != {str(status)}:
        raise RuntimeError(f"{plan.method} {plan.path} was answered {outcome.statuses}")
    return outcome


def main() -> None:
    """Drive the plan on standard input."""
    import uvloop

    plan: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(asdict(uvloop.run(drive(Plan(**plan))))))


if __name__ == "__main__":
    main()
