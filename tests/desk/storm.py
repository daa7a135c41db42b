"""A desk under a storm: customers write, operators come, go, take, hand on and close, while rules give and take back.

    python -m tests.desk.storm --operators 50 --conversations 2000 --seed 7

Everything is real: HTTP, WebSockets, PostgreSQL, Valkey, and two web processes' kernels on one database, so that either
may be the one that assigns; a third assigner works without asking whose turn it is. Prints its seed, what happened, and
the verdict of invariants.py.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from elsehu.app import create_app
from elsehu.desk.automatic import assigner
from elsehu.desk.automatic.assigning import assign_waiting
from elsehu.embedded import EmbeddedServices, embedded_services
from elsehu.plugins import load_plugins
from elsehu.realtime import presence
from elsehu.settings import Settings
from elsehu.testing import databases
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.installation import make_settings
from elsehu.testing.serving import RunningServer, running_server
from elsehu.testing.sockets import SocketClient, socket_to

from . import invariants, recorder
from .invariants import Absence

DESK = {"assignment": "least_busy", "sticky_hours": 1.0, "offline_minutes": 1.0}


@dataclass(frozen=True)
class Size:
    """How large a storm is. `leavers` go for good; all pause at most `pause` seconds between two deeds."""

    operators: int
    conversations: int
    numbers: int = 3
    leavers: int = 0
    pause: float = 0.5


@dataclass
class Operator:
    """One who works at random."""

    client: ApiClient
    socket: SocketClient
    chance: random.Random
    status: str = "online"
    left: datetime | None = None
    absent: list[Absence] = field(default_factory=list)

    @property
    def id(self) -> UUID:
        return UUID(self.client.user["id"])


class Storm:
    """A storm on some servers that share a database; `answers` counts what the API answered, by request and status."""

    def __init__(self, servers: list[RunningServer], size: Size, seed: int) -> None:
        self.servers = servers
        self.size = size
        self.chance = random.Random(seed)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.operators: list[Operator] = []
        self.teams: list[str] = []
        self.tabulation = ""
        self.came = 0
        self.late: list[float] = []

    @property
    def kernel(self) -> Any:
        return self.servers[0].kernel

    async def run(self) -> tuple[recorder.Record, list[str]]:
        """Let it blow until every conversation is closed; return what happened, and what was wrong with it."""
        await recorder.start(self.kernel)
        async with AsyncExitStack() as stack:
            admin = await stack.enter_async_context(log_in_as(self.servers[0], "ADMIN"))
            numbers = [await add_number(admin) for _ in range(self.size.numbers)]
            await self._people(stack, admin, numbers)
            async with asyncio.TaskGroup() as group:
                third = group.create_task(self._assign_out_of_turn())
                customers = group.create_task(self._customers(numbers))
                workers = [group.create_task(self._work(one)) for one in self.operators]
                await asyncio.gather(customers, *workers)
                third.cancel()
        record = await recorder.read(self.kernel)
        rows = await self.kernel.db.fetch("SELECT user_id, coalesce(capacity, 5) AS most FROM desk_operators")
        capacity = {row["user_id"]: row["most"] for row in rows}
        absent = {one.id: one.absent for one in self.operators}
        self.late = [late.total_seconds() for _, late in invariants.given_late(record, absent)]
        wrong = [f"the API answered {status} to {what}" for what, status in self.answers if status >= 500]
        return record, [*wrong, *invariants.broken(record, capacity, absent)]

    async def _people(self, stack: AsyncExitStack, admin: ApiClient, numbers: list[UUID]) -> None:
        """Some serve all numbers, some one, some are in teams; each has a capacity of his own."""
        self.tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
        for number in range(self.size.operators):
            server = self.servers[number % len(self.servers)]
            client = await stack.enter_async_context(log_in_as(server, "OPERATOR"))
            own: dict[str, Any] = {"capacity": self.chance.randint(1, 6)}
            if number % 5 == 4:
                own["serviceInstanceIds"] = [str(self.chance.choice(numbers))]
            assert (await admin.patch(f"/api/operators/{client.user['id']}", own)).status_code == 200
            socket = await stack.enter_async_context(socket_to(server, client.token))
            self.operators.append(Operator(client, socket, random.Random(self.chance.random())))
        for name in ("Sales", "Support"):
            members = [one.client.user["id"] for one in self.chance.sample(self.operators, self.size.operators // 2)]
            self.teams.append((await admin.post("/api/teams", {"name": name, "memberIds": members})).json()["id"])

    async def _customers(self, numbers: list[UUID]) -> None:
        """They write in order, a few at a time."""
        while self.came < self.size.conversations:
            some = range(self.came, min(self.came + 8, self.size.conversations))
            server = self.chance.choice(self.servers)
            waits = (customer_writes(server, self.chance.choice(numbers), f"551197{one:07}") for one in some)
            await asyncio.gather(*waits)
            self.came = some.stop

    async def _assign_out_of_turn(self) -> None:
        while True:
            await assign_waiting(self.kernel)
            await asyncio.sleep(self.size.pause)

    # What an operator does ------------------------------------------------------------------------------

    async def _work(self, one: Operator) -> None:
        leaves = self.operators.index(one) < self.size.leavers
        while await self._is_anything_left():
            if leaves and one.status != "offline":
                await self._be(one, "offline")
            elif one.chance.random() < 0.1 and not leaves:
                await self._be(one, one.chance.choice(["online", "online", "online", "away", "offline"]))
            elif one.status == "online":
                await (self._take(one) if one.chance.random() < 0.1 else self._handle(one))
            await asyncio.sleep(one.chance.random() * self.size.pause)

    async def _is_anything_left(self) -> bool:
        if self.came < self.size.conversations:
            return True
        sql = "SELECT EXISTS (SELECT 1 FROM conversations WHERE status <> 'closed')"
        return bool(await self.kernel.db.fetch_value(sql))

    async def _be(self, one: Operator, status: str) -> None:
        before = self.kernel.now()
        await one.socket.ask("operator:status", {"status": status})
        if status == "online" and one.left is not None:
            one.absent.append((one.left, before))
            one.left = None
        elif status != "online" and one.left is None:
            one.left = self.kernel.now()
        one.status = status

    async def _take(self, one: Operator) -> None:
        waiting = (await self._get(one, "/api/queue", {"limit": "8"}))["items"]
        if waiting:
            chosen = one.chance.choice(waiting)["conversation"]["id"]
            await self._post(one, chosen, "assign", {}, {200, 404, 409})

    async def _handle(self, one: Operator) -> None:
        mine = (await self._get(one, "/api/conversations", {"assignedTo": "me", "status": "assigned", "limit": "20"}))[
            "items"
        ]
        if not mine:
            return
        chosen = one.chance.choice(mine)["id"]
        colleague = one.chance.choice(self.operators).client.user["id"]
        deeds: list[tuple[int, str, dict[str, Any] | None]] = [
            (70, "close", {"tabulationId": self.tabulation}),
            (10, "transfer", {"userId": colleague, "reason": "knows more"}),
            (8, "transfer", {"teamId": one.chance.choice(self.teams)}),
            (4, "transfer", {"queue": True}),
            (4, "release", None),
            (4, "tags", {"tags": [str(one.chance.random())]}),
        ]
        _, verb, body = one.chance.choices(deeds, [weight for weight, _, _ in deeds])[0]
        await self._post(one, chosen, verb, body, {200, 403, 404, 409})

    async def _get(self, one: Operator, path: str, query: dict[str, str]) -> dict[str, Any]:
        answer = await one.client.get(path, params=query)
        self.answers[f"GET {path}", answer.status_code] += 1
        shown: dict[str, Any] = answer.raise_for_status().json()
        return shown

    async def _post(self, one: Operator, conversation: str, verb: str, body: Any, allowed: set[int]) -> None:
        answer = await one.client.post(f"/api/conversations/{conversation}/{verb}", body)
        self.answers[verb, answer.status_code] += 1
        assert answer.status_code in allowed, (verb, answer.status_code, answer.text)


@asynccontextmanager
async def web_processes(settings: Settings, count: int) -> AsyncIterator[list[RunningServer]]:
    """Serve the same database by several kernels."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_server(create_app(settings, load_plugins(settings))))
            for _ in range(count)
        ]


async def _blow(services: EmbeddedServices, folder: Path, size: Size, seed: int) -> int:
    url = await databases.clone_template(services.database_url)
    settings = make_settings(services, url, folder, {"desk": DESK, "database": {"pool_max": 24}})
    started = time.monotonic()
    async with web_processes(settings, 2) as servers:
        storm = Storm(servers, size, seed)
        record, wrong = await storm.run()
    took = time.monotonic() - started
    print(f"seed {seed}: {size.operators} operators, {size.conversations} conversations, {took:.0f} s")
    for what, count in sorted(invariants.figures(record).items()):
        print(f"  {count:6} {what}")
    for (request, status), count in sorted(storm.answers.items()):
        print(f"  {count:6} {request}: {status}")
    print(f"  {len(storm.late):6} given up to {max(storm.late, default=0):.2f} s after somebody had said that he goes")
    for sentence in wrong[:20]:
        print(f"WRONG: {sentence}")
    print("verdict:", f"{len(wrong)} violations" if wrong else "every invariant held")
    return 1 if wrong else 0


def _main(size: Size, seed: int) -> int:
    presence.TICK_SECONDS = 0.05
    assigner.SWEEP_SECONDS = 0.5
    with tempfile.TemporaryDirectory(prefix="elsehu-storm-") as name, embedded_services(Path(name) / "s") as services:
        databases.make_template(services.database_url)
        return asyncio.run(_blow(services, Path(name), size, seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.desk.storm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operators", type=int, default=50)
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--leavers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    size = Size(options.operators, options.conversations, leavers=options.leavers)
    sys.exit(_main(size, options.seed))
