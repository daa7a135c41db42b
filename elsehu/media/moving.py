"""Moving what one storage keeps to another, while everything runs.

Bytes are copied under a new key like those of any new file: announced, stored, checked (objects.py). Then one
transaction makes the row point to the copy and the original an unclaimed object. Killed at any moment, what was
moved is moved, half a copy is swept, and the next run goes on with what is left.

Who had read the row before still reads the original. So it is never deleted at once: the sweep gets it after
GRACE, or, while it is to be kept, never.
"""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import Unavailable
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.objects import StoredMedia, announce, claim, drop, mismatch
from elsehu.media.retention import UNCLAIMED_AGE
from elsehu.tasks import together

TABLES = ("media_files", "media_renditions")
"""All that point to objects: each row by `storage` and `storage_key`, with `size`, `sha256` and `mime_type`."""

PAGE = 200
GRACE = timedelta(minutes=10)
"""How long an original outlives its move at least: longer than any request or sending that began before."""

MOST_FAILURES_IN_A_ROW = 10


@dataclass(frozen=True, slots=True)
class Amount:
    """So many files with so many bytes."""

    files: int = 0
    size: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.files + other.files, self.size + other.size)


@dataclass(slots=True)
class Tally:
    """How a move goes: what was moved, and why what is left could not be, by the row's id."""

    moved: Amount = Amount()
    failed: dict[UUID, str] = field(default_factory=dict)
    failed_in_a_row: int = 0

    def succeeded(self, file: Row) -> None:
        """Count a file that was moved."""
        self.moved += Amount(1, file["size"])
        self.failed.pop(file["id"], None)
        self.failed_in_a_row = 0

    def went_wrong(self, file: Row, problem: str) -> None:
        """Keep why a file was not moved. Raises Unavailable when that was so for too many, one after the other."""
        self.failed[file["id"]] = problem
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= MOST_FAILURES_IN_A_ROW:
            raise Unavailable(
                "storage_migration_stopped",
                f"Stopped: {self.failed_in_a_row} files in a row could not be moved. The last one: {problem} "
                f"{self.moved.files} files were moved; mend the cause and run this again for the rest.",
            )


@dataclass(frozen=True, slots=True)
class Move:
    """From which storage to which (names of plugins), and what becomes of the originals."""

    source: str
    target: str
    deletes_originals: bool = False
    at_once: int = 4


async def kept_in(kernel: Kernel, storage: str) -> Amount:
    """Count what `storage` keeps of files."""
    total = Amount()
    for table in TABLES:
        row = await kernel.db.fetch_row(_KEPT.format(table=table), storage)
        assert row
        total += Amount(row["files"], int(row["size"]))
    return total


async def originals_kept(kernel: Kernel, storage: str) -> int:
    """Count the originals in `storage` that moves were told to keep."""
    count: int = await kernel.db.fetch_value(_ORIGINALS, storage)
    return count


async def move(kernel: Kernel, asked: Move, told: Callable[[int], None] = lambda _: None) -> Tally:
    """Move everything, also what comes in meanwhile; `told` hears each moved file's bytes.

    Raises Unavailable where hardly anything can be moved, and one of `db.CONNECTION_LOST`; what is moved stays.
    """
    mover = _Mover(kernel, asked, told)
    before = None
    while mover.tally.moved != before:
        before = mover.tally.moved
        for table in TABLES:
            await mover.move_all_of(table)
    if asked.deletes_originals:
        await kernel.db.execute(_RELEASE, asked.source, UNCLAIMED_AGE - GRACE)
    return mover.tally


class _Stays(Exception):
    """A file cannot be moved; the text says why."""


class _Mover:
    """Moves files as `asked`, several at once."""

    def __init__(self, kernel: Kernel, asked: Move, told: Callable[[int], None]) -> None:
        self.tally = Tally()
        self._kernel = kernel
        self._asked = asked
        self._told = told

    async def move_all_of(self, table: str) -> None:
        """Go once through all rows of a table."""
        last = UUID(int=0)
        while page := await self._kernel.db.fetch(_PAGE.format(table=table), self._asked.source, last, PAGE):
            files = iter(page)
            await together(*(self._work(table, files) for _ in range(self._asked.at_once)))
            last = page[-1]["id"]

    async def _work(self, table: str, files: Iterator[Row]) -> None:
        for file in files:
            try:
                is_moved = await self._move(table, file)
            except _Stays as problem:
                self.tally.went_wrong(file, str(problem))
                continue
            if is_moved:
                self.tally.succeeded(file)
                self._told(file["size"])

    async def _move(self, table: str, file: Row) -> bool:
        """Move one file; False for one that was deleted or moved by somebody else meanwhile. Raises _Stays."""
        try:
            copy = await self._copied(file)
        except FileNotFoundError:
            if await self._kernel.db.fetch_value(_IS_THERE.format(table=table), file["id"], file["storage_key"]):
                raise _Stays(f"It is missing in {self._asked.source}.") from None
            return False
        except Unavailable as refusal:
            raise _Stays(refusal.detail) from refusal
        wrong = mismatch(copy, file["size"], file["sha256"])
        if wrong is None and await self._point_to(table, file, copy):
            return True
        await drop(self._kernel, copy)
        if wrong:
            raise _Stays(f"What {self._asked.source} keeps is not what was stored: {wrong}.")
        return False

    async def _copied(self, file: Row) -> StoredMedia:
        asked, plugins = self._asked, self._kernel.plugins
        key = await announce(self._kernel, asked.target)
        chunks: Any = plugins.storage_open(file["storage_key"], storage=asked.source)
        async with aclosing(chunks):
            stored = await plugins.storage_put(key, chunks, file["mime_type"], storage=asked.target)
        return StoredMedia(key, asked.target, stored.size, stored.sha256, file["mime_type"], "")

    async def _point_to(self, table: str, file: Row, copy: StoredMedia) -> bool:
        """Make the row point to the copy and say so; False where it points to the original no longer."""
        source, original = self._asked.source, file["storage_key"]
        async with self._kernel.db.transaction() as uow:
            sql = _POINT.format(table=table)
            points = await uow.fetch_value(sql, file["id"], source, original, copy.storage, copy.key)
            if points:
                await claim(uow, [copy.key])
                age = UNCLAIMED_AGE - GRACE if self._asked.deletes_originals else None
                await uow.execute(_UNCLAIM, original, source, age)
        return bool(points)


_KEPT = """
SELECT count(*) AS files, coalesce(sum(size), 0) AS size FROM {table}
WHERE storage = $1 AND storage_key IS NOT NULL
"""

_PAGE = """
SELECT id, storage_key, size, sha256, mime_type FROM {table}
WHERE storage = $1 AND storage_key IS NOT NULL AND id > $2 ORDER BY id LIMIT $3
"""

_POINT = """
UPDATE {table} SET storage = $4, storage_key = $5
WHERE id = $1 AND storage = $2 AND storage_key = $3 RETURNING true
"""

_IS_THERE = "SELECT true FROM {table} WHERE id = $1 AND storage_key = $2"

_UNCLAIM = """
INSERT INTO unclaimed_objects (key, storage, since, doomed)
VALUES ($1, $2, coalesce(now() - $3::interval, 'infinity'), false)
"""

_ORIGINALS = "SELECT count(*) FROM unclaimed_objects WHERE storage = $1 AND since = 'infinity'"

_RELEASE = "UPDATE unclaimed_objects SET since = now() - $2::interval WHERE storage = $1 AND since = 'infinity'"
