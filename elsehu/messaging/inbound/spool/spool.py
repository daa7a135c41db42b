"""The process's spool: while PostgreSQL is away, webhooks are answered 200 once they are on this machine's disk.

From the first webhook that is kept here until all are applied, the others follow it: what comes later is not applied
before. What a process that died left behind, another one of this machine, or the next, applies.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from elsehu.contracts.errors import Unavailable
from elsehu.contracts.webhook import Accepted
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import DATABASE_AWAY
from elsehu.messaging.inbound.spool.record import Record, line_of
from elsehu.messaging.inbound.spool.segment import Segment, bytes_in, segments_in
from elsehu.settings import MIB

log = structlog.get_logger("elsehu.spool")

SEGMENT_BYTES = 4 * MIB
ASIDE = ".aside"


@dataclass(slots=True)
class Waiting:
    """A line on its way to the disk."""

    line: bytes
    is_kept: bool = False


class Spool:
    """Where webhooks wait. `holds`: some do, so that those that come now must wait behind them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._folder = kernel.settings.data_dir / "spool"
        self._active: Segment | None = None
        self._full: list[Segment] = []
        self._waiting: list[Waiting] = []
        self._writing = asyncio.Lock()
        self.filled = asyncio.Event()
        self.holds = False

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._folder

    @property
    def is_enabled(self) -> bool:
        """Whether there is to be one (`[webhooks] spool_max_bytes`)."""
        return self._kernel.settings.webhooks.spool_max_bytes > 0

    async def keep(self, provider: str, accepted: Accepted, arrived: int) -> None:
        """Return when an authenticated webhook is on the disk. Raises Unavailable (503) if it cannot be.

        Args:
            provider: the name of whose webhook it is.
            accepted: what the plugin made of it.
            arrived: `time.time_ns()` when it came: in this order they are applied.
        """
        instance_ids = [one.id for one in accepted.instances]
        try:
            line = line_of(Record(arrived, provider, accepted.payload, instance_ids), self._kernel.secrets)
        except (TypeError, ValueError, RecursionError) as error:
            raise _cannot_keep("this payload is not JSON") from error
        await self._to_disk(Waiting(line))

    async def _to_disk(self, mine: Waiting) -> None:
        """Whoever's turn it is writes what waits; the others then find that theirs is written."""
        self.holds = True
        self._waiting.append(mine)
        self.filled.set()
        async with self._writing:
            if mine.is_kept:
                return
            together, self._waiting = self._waiting, []
            await self._write(together)
        for one in together:
            one.is_kept = True

    async def _write(self, together: Sequence[Waiting]) -> None:
        try:
            await asyncio.to_thread(self._append, [one.line for one in together])
        except OSError as error:
            log.error("spool_cannot_be_written", webhooks=len(together), error=str(error), folder=str(self._folder))
            raise _cannot_keep("the disk refuses it") from error

    def _append(self, lines: Sequence[bytes]) -> None:
        limit = self._kernel.settings.webhooks.spool_max_bytes
        if bytes_in(self._folder) + sum(map(len, lines)) > limit:
            log.error("spool_full", bytes=limit, fix="start PostgreSQL, or raise [webhooks] spool_max_bytes")
            raise _cannot_keep("the spool is full")
        if self._active is None:
            self._active = Segment.create(self._folder)
        self._active.append(lines)
        if self._active.size >= SEGMENT_BYTES:
            self._full.append(self._active)
            self._active = None

    async def next_segment(self) -> Segment | None:
        """Return the oldest segment that is to be applied, this process's own or an abandoned one.

        None: there is none, and webhooks need not wait any more.
        """
        async with self._writing:
            if self._active is not None:
                self._full.append(self._active)
                self._active = None
            segment = await asyncio.to_thread(self._oldest)
            if segment is None and not self._waiting:
                self.holds = False
            return segment

    def _oldest(self) -> Segment | None:
        mine = {segment.path: segment for segment in self._full}
        for path in segments_in(self._folder):
            segment = mine.get(path) or Segment.take(path)
            if segment is not None:
                return segment
        return None

    def put_back(self, segment: Segment) -> None:
        """Keep a segment for the next try."""
        if segment not in self._full:
            self._full.append(segment)

    async def forget(self, segment: Segment) -> None:
        """Remove a segment of which everything is applied."""
        await asyncio.to_thread(segment.remove)
        if segment in self._full:
            self._full.remove(segment)

    async def set_aside(self, record: Record) -> None:
        """Keep a record that cannot be applied out of the others' way, for a person. Raises OSError."""
        line = line_of(record, self._kernel.secrets)
        await asyncio.to_thread(_set_aside, self._folder, line)

    def close(self) -> None:
        """Let go of the files: what is in them is for the next process."""
        for segment in [*self._full, *([self._active] if self._active else [])]:
            segment.close()
        self._full, self._active = [], None


def _cannot_keep(why: str) -> Unavailable:
    detail = f"The database is away, and this could not be kept on the disk: {why}. Send it again."
    return Unavailable(DATABASE_AWAY, detail, retry_after=5)


def _set_aside(folder: Path, line: bytes) -> None:
    segment = Segment.create(folder, ASIDE)
    segment.append([line])
    segment.close()
