"""Readers of the outbox are given every committed event once, however late its transaction commits."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from elsehu.db import CONNECTION_LOST, Database, UnitOfWork, open_database
from elsehu.embedded import EmbeddedServices
from elsehu.events import Change, reading, record
from elsehu.events.positions import BEGINNING, Position
from elsehu.ids import new_id
from elsehu.settings import DatabaseSettings


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, DatabaseSettings(pool_min=2, pool_max=24)) as opened:
        yield opened


async def put(db: Database, *types: str) -> None:
    async with db.transaction() as uow:
        await record(uow, [Change(name, new_id()) for name in types])


async def read(db: Database, position: Position, limit: int = 100) -> tuple[list[str], Position]:
    async with db.reader() as uow:
        events, position = await reading.read_since(uow, position, limit)
        return [event.type for event in events], position


class Schedule:
    """Writers whose transactions overlap as a seeded die decides, and readers who page at their own pace."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db = db
        self.die = random.Random(seed)
        self.open: list[tuple[asyncpg.Connection, asyncpg.transaction.Transaction, list[str]]] = []
        self.committed: list[str] = []
        self.count = 0

    async def step(self) -> None:
        act = self.die.choice([self.begin, self.write, self.write, self.commit, self.roll_back, self.savepoint])
        await act()

    async def begin(self) -> None:
        if len(self.open) < 12:
            connection = await self.db.pool.acquire()
            transaction = connection.transaction()
            await transaction.start()
            self.open.append((connection, transaction, []))

    async def write(self) -> None:
        if self.open:
            connection, _, written = self.die.choice(self.open)
            names = [f"event:{self.count + place}" for place in range(self.die.randint(1, 4))]
            self.count += len(names)
            await record(UnitOfWork(connection), [Change(name, new_id()) for name in names])
            written += names

    async def savepoint(self) -> None:
        if self.open:
            connection, _, written = self.die.choice(self.open)
            kept, undone = f"event:{self.count}", f"event:{self.count + 1}"
            self.count += 2
            async with connection.transaction():
                await record(UnitOfWork(connection), [Change(kept, new_id())])
            undoing = connection.transaction()
            await undoing.start()
            await record(UnitOfWork(connection), [Change(undone, new_id())])
            await undoing.rollback()
            written.append(kept)

    async def commit(self) -> None:
        await self._end("commit")

    async def roll_back(self) -> None:
        await self._end("rollback")

    async def _end(self, how: str) -> None:
        if self.open:
            connection, transaction, written = self.open.pop(self.die.randrange(len(self.open)))
            await getattr(transaction, how)()
            await self.db.pool.release(connection)
            if how == "commit":
                self.committed += written

    async def finish(self) -> None:
        while self.open:
            await self.commit()


class Reader:
    """Reads pages of its own size, each from where the last one ended."""

    def __init__(self, db: Database, limit: int) -> None:
        self.db = db
        self.limit = limit
        self.position = BEGINNING
        self.seen: list[str] = []

    async def turn(self) -> int:
        types, self.position = await read(self.db, self.position, self.limit)
        self.seen += types
        return len(types)


async def test_nothing_is_skipped_and_nothing_doubled_whatever_commits_when(db: Database, seed: int) -> None:
    schedule = Schedule(db, seed)
    readers = [Reader(db, limit) for limit in (1, 3, 1000)]
    for _ in range(150):
        await schedule.step()
        for reader in readers:
            if schedule.die.random() < 0.4:
                await reader.turn()
    await schedule.finish()
    for reader in readers:
        while await reader.turn():
            pass
        assert sorted(reader.seen) == sorted(schedule.committed)


async def test_a_transaction_that_commits_late_comes_after_those_that_overtook_it(db: Database) -> None:
    async with db.pool.acquire() as connection:
        late = connection.transaction()
        await late.start()
        await record(UnitOfWork(connection), [Change("late:one", new_id())])
        await put(db, "early:one")
        seen, position = await read(db, BEGINNING)
        assert seen == ["early:one"]
        await late.commit()
    assert (await read(db, position))[0] == ["late:one"]


async def test_a_transaction_number_that_a_crash_gives_out_again_is_not_skipped(
    db: Database, services: EmbeddedServices
) -> None:
    for attempt in range(10):
        await put(db, f"before:{attempt}")
        async with db.pool.acquire() as connection:
            untraced = connection.transaction()
            await untraced.start()
            number = await connection.fetchval("SELECT pg_current_xact_id()")
            await untraced.rollback()
        _, position = await read(db, BEGINNING)
        await crash(services)
        await eventually(lambda: put(db, "after:crash"))
        assert (await read(db, position))[0] == ["after:crash"]
        if await db.fetch_value("SELECT max(xid) FROM events") == number:
            return
    pytest.fail("PostgreSQL never gave a number out again: this test shows nothing")


async def crash(services: EmbeddedServices) -> None:
    """Have PostgreSQL end at once, and wait until it runs again."""
    before = services.pids["postgres"]
    os.kill(before, signal.SIGQUIT)
    async with asyncio.timeout(30):
        while services.pids.get("postgres") in (None, before):
            await asyncio.sleep(0.01)


async def eventually(action: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await action()
            except CONNECTION_LOST:
                await asyncio.sleep(0.05)


async def test_a_page_never_ends_inside_a_transaction(db: Database) -> None:
    await put(db, *(f"a:{number}" for number in range(5)))
    await put(db, "b:0")
    seen, position = await read(db, BEGINNING, limit=2)
    assert seen == [f"a:{number}" for number in range(5)]
    assert (await read(db, position, limit=2))[0] == ["b:0"]


async def test_events_carry_what_was_recorded(db: Database) -> None:
    subject, conversation = new_id(), new_id()
    async with db.transaction() as uow:
        await record(uow, [Change("conversation:updated", subject, conversation, {"wasQueued": True})])
    async with db.reader() as uow:
        [event], _ = await reading.read_since(uow, BEGINNING, 10)
    assert (event.type, event.subject_id, event.conversation_id) == ("conversation:updated", subject, conversation)
    assert event.data == {"wasQueued": True}
    assert abs(datetime.now(UTC) - event.at) < timedelta(minutes=1)


async def test_what_is_behind_is_counted_up_to_a_limit(db: Database) -> None:
    await put(db, *(f"a:{number}" for number in range(20)))
    async with db.reader() as uow:
        assert await reading.count_since(uow, BEGINNING, 100) == 20
        assert await reading.count_since(uow, BEGINNING, 5) == 6
        assert await reading.count_since(uow, await reading.now(uow), 5) == 0


async def test_purging_deletes_what_is_old(db: Database) -> None:
    await put(db, "old:one", "old:two")
    await put(db, "new:one")
    async with db.transaction() as uow:
        await uow.execute("UPDATE events SET at = now() - interval '2 days' WHERE type LIKE 'old:%'")
        await reading.purge(uow, datetime.now(UTC) - timedelta(days=1))
    assert (await read(db, BEGINNING))[0] == ["new:one"]


async def test_events_of_a_restored_dump_are_dropped_and_nothing_else(db: Database) -> None:
    await put(db, "mine:one")
    async with db.pool.acquire() as connection:
        running = connection.transaction()
        await running.start()
        await record(UnitOfWork(connection), [Change("mine:late", new_id())])
        async with db.transaction() as uow:
            await uow.execute("INSERT INTO events (type, xid) VALUES ('foreign:one', '9000000000000')")
            await reading.drop_foreign(uow)
        await running.commit()
    assert sorted((await read(db, BEGINNING))[0]) == ["mine:late", "mine:one"]


async def test_a_database_has_a_life_of_its_own(db: Database, services: EmbeddedServices) -> None:
    async with db.reader() as uow:
        life = await reading.database_life(uow)
        assert life == await reading.database_life(uow)
    async with open_database(services.database_url, DatabaseSettings()) as other, other.reader() as uow:
        assert await reading.database_life(uow) != life


async def test_reading_costs_what_is_new_not_what_is_kept(db: Database) -> None:
    """An old transaction that stays open must not make every read walk through all that came after it."""
    async with db.pool.acquire() as connection:
        lingering = connection.transaction()
        await lingering.start()
        await record(UnitOfWork(connection), [Change("lingering:one", new_id())])
        await db.execute("INSERT INTO events (type) SELECT 'bulk:one' FROM generate_series(1, 20000)")
        await db.execute("ANALYZE events")
        async with db.reader() as uow:
            position = await reading.now(uow)
        await put(db, "new:one")
        explain = "EXPLAIN (ANALYZE, FORMAT JSON) " + reading.READ
        plan = orjson.loads(await db.fetch_value(explain, position.xmax, position.open, 500))
        await lingering.rollback()
    assert position.open
    assert max(rows_touched(node) for node in nodes(plan[0]["Plan"])) <= 2


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_touched(node: dict[str, Any]) -> float:
    return float(node["Actual Rows"]) + float(node.get("Rows Removed by Filter", 0))
