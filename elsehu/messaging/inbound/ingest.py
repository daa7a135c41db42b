"""Ingest with group commit: webhooks that come together share a transaction, each answered once it is committed.

A request waits only for the transaction before its own. If a shared transaction fails, each of its webhooks
goes alone; if one alone fails, each of its items goes alone, and what still fails becomes a dead letter. So
one poisoned item sinks neither its neighbours nor its webhook.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import orjson
import structlog

from elsehu.contracts.errors import Unavailable
from elsehu.contracts.inbound import (
    Broken,
    ConsentChanged,
    CustomerTyping,
    IdentitiesLinked,
    IdentityChanged,
    InstanceChanged,
    Item,
    MessageArrived,
    Normalized,
    TemplateChanged,
)
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.instances import service as instances
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.typing import tell_typing
from elsehu.messaging.inbound import attachments, raw_events
from elsehu.messaging.inbound.attachments import Files
from elsehu.messaging.inbound.batch import Arriving, Batch
from elsehu.messaging.inbound.mending import mended
from elsehu.messaging.inbound.raw_events import Dead, Raw
from elsehu.messaging.inbound.retrying import apply_with_files, retrying
from elsehu.messaging.templates import changes as templates
from elsehu.requests import current_request_id

log = structlog.get_logger("elsehu.ingest")

WORKERS = 2
DATABASE_AWAY = "database_away"
"""The code of what was not committed."""
UNWRITABLE = (asyncpg.DataError, UnicodeEncodeError, orjson.JSONEncodeError)
"""What a text that no database takes raises on its way there."""


@dataclass(slots=True)
class Job:
    """One webhook on its way into the database, and who waits for it."""

    provider: str
    normalized: Normalized
    instance_id: UUID | None
    keeps_raw: bool
    files: Files
    request_id: str | None = field(default_factory=current_request_id)
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction commits: items, the raw bodies of whole webhooks, and dead letters.

    `requests` are the ids of the requests that told of the items, by the event's `id()`.
    """

    jobs: Sequence[Job]
    items: Sequence[Item]
    files: Files
    dead: Sequence[Dead] = ()
    requests: Mapping[int, str | None] = field(default_factory=dict)


class Ingest:
    """The process's way into the database for everything that providers tell."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._last_states: dict[UUID, InstanceChanged] = {}

    async def submit(
        self, provider: str, normalized: Normalized, instance_id: UUID | None = None, *, keeps_raw: bool = True
    ) -> None:
        """Return when everything that `normalized` says is committed. Raises Unavailable (503) if it is not."""
        if await self._says_nothing_new(normalized):
            return
        files = await attachments.prepare(self._kernel, normalized.items)
        job = Job(provider, normalized, instance_id, keeps_raw, files)
        self._queue.append(job)
        self._wake.set()
        await job.done
        self._count(provider, normalized)
        await self._after(normalized)

    def _count(self, provider: str, normalized: Normalized) -> None:
        told = [*(item.event for item in normalized.items), *normalized.broken]
        kinds = Counter(type(one).__name__ for one in told)
        for kind, count in kinds.items():
            self._kernel.metrics.items(provider, kind, count)

    async def _says_nothing_new(self, normalized: Normalized) -> bool:
        """Collapse storms of connection events: tens a second while a provider has no network."""
        items = normalized.items
        if normalized.broken or not items:
            return False
        if not all(self._last_states.get(one.instance_id) == one.event for one in items):
            return False
        return all([await self._is_so(one.instance_id) for one in items])

    async def _is_so(self, instance_id: UUID) -> bool:
        """Whether the number still is as we heard last: another process may have heard something else since."""
        instance = await self._kernel.part(Directory).get(instance_id)
        return instance is not None and instance.status is self._last_states[instance_id].status

    async def _after(self, normalized: Normalized) -> None:
        for item in normalized.items:
            if isinstance(item.event, InstanceChanged):
                self._last_states[item.instance_id] = item.event
            elif isinstance(item.event, CustomerTyping):
                await tell_typing(self._kernel, item.instance_id, item.event)

    async def run(self) -> None:
        """Commit what is submitted, until cancelled."""
        try:
            await asyncio.gather(*(self._work() for _ in range(WORKERS)))
        finally:
            while self._queue:
                _refuse(self._queue.popleft())

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            size = min(len(self._queue), self._kernel.settings.webhooks.batch_size)
            await self._commit([self._queue.popleft() for _ in range(size)])

    async def _commit(self, jobs: Sequence[Job]) -> None:
        try:
            await self._together(jobs)
        except CONNECTION_LOST as error:
            log.warning("ingest_database_away", webhooks=len(jobs), error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - going alone shows whose it is
            log.warning("ingest_goes_alone", webhooks=len(jobs), error=type(error).__name__)
            await self._alone(jobs)
        finally:
            for job in jobs:
                _refuse(job)

    async def _together(self, jobs: Sequence[Job]) -> None:
        files = {place: file for job in jobs for place, file in job.files.items()}
        items = [item for job in jobs for item in job.normalized.items]
        requests = {id(item.event): job.request_id for job in jobs for item in job.normalized.items}
        await self._transaction(Work(jobs, items, files, requests=requests))
        for job in jobs:
            _confirm(job)

    async def _alone(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                await self._item_by_item(job)
                _confirm(job)
            except CONNECTION_LOST as error:
                log.warning("ingest_database_away", webhooks=1, error=type(error).__name__)
            except Exception:
                log.exception("webhook_cannot_be_kept", provider=job.provider)

    async def _item_by_item(self, job: Job) -> None:
        dead: list[Dead] = []
        for item in job.normalized.items:
            try:
                await self._one_item(item, job)
            except CONNECTION_LOST:
                raise
            except Exception as error:
                log.exception("item_cannot_be_applied", provider=job.provider, error=type(error).__name__)
                dead.append(Dead(job.provider, item.instance_id, f"{type(error).__name__}: {error}", item.raw))
        await self._transaction(Work([job], [], {}, dead))

    async def _one_item(self, item: Item, job: Job) -> None:
        """Commit one item; where it is refused for how it is written, as it can be kept."""
        try:
            await self._transaction(Work([], [item], job.files, requests={id(item.event): job.request_id}))
        except UNWRITABLE as error:
            other = mended(item)
            if other is item:
                raise
            log.warning("item_was_mended", instance=str(item.instance_id), error=type(error).__name__)
            file, place = job.files.get(id(item.event)), id(other.event)
            files = {place: file} if file else {}
            await self._transaction(Work([], [other], files, requests={place: job.request_id}))

    async def _transaction(self, work: Work) -> None:
        """Commit `work`, trying again where another transaction was in the way."""

        async def write(uow: UnitOfWork, more_locks: frozenset[int]) -> None:
            await self._write(uow, work, more_locks)

        await retrying(self._kernel, write)

    async def _write(self, uow: UnitOfWork, work: Work, more_locks: frozenset[int]) -> None:
        batch = await self._batch(work)
        await apply_with_files(uow, self._kernel, batch, work.items, work.files, more_locks=more_locks)
        await self._write_instances(uow, work.items)
        await templates.apply(uow, self._kernel, _templates_in(work.items))
        await raw_events.keep(uow, [_raw_of(job) for job in work.jobs if job.keeps_raw])
        broken = [_dead_of(job, one) for job in work.jobs for one in job.normalized.broken]
        await raw_events.bury(uow, [*work.dead, *broken])

    async def _batch(self, work: Work) -> Batch:
        batch = Batch(windows=await self._windows({item.instance_id for item in work.items}))
        for item in work.items:
            match item.event:
                case MessageArrived() as event:
                    file = work.files.get(id(event))
                    told_by = work.requests.get(id(event))
                    batch.messages.append(Arriving(item.instance_id, event, file.id if file else None, told_by))
                case IdentitiesLinked() as event:
                    batch.links.append(event)
                case IdentityChanged() as event:
                    batch.changes.append(event)
                case ConsentChanged() as event:
                    batch.consents.append(event)
                case InstanceChanged() | CustomerTyping() | TemplateChanged():
                    pass
                case event:
                    batch.updates.append((item.instance_id, event))
        return batch

    async def _windows(self, instance_ids: Collection[UUID]) -> dict[UUID, float]:
        directory, windows = self._kernel.part(Directory), {}
        for instance_id in instance_ids:
            instance = await directory.get(instance_id)
            spec = self._kernel.plugins.spec(instance.provider) if instance else None
            if spec and spec.window_hours is not None:
                windows[instance_id] = spec.window_hours
        return windows

    async def _write_instances(self, uow: UnitOfWork, items: Sequence[Item]) -> None:
        changes = [(item.instance_id, item.event) for item in items if isinstance(item.event, InstanceChanged)]
        for instance_id, change in sorted(changes, key=lambda one: one[0]):
            await instances.apply_change(uow, self._kernel, instance_id, change)
        await instances.touch(uow, self._kernel, *{item.instance_id for item in items})


def _confirm(job: Job) -> None:
    if not job.done.done():
        job.done.set_result(None)


def _refuse(job: Job) -> None:
    """Have a webhook that is not committed sent again."""
    if not job.done.done():
        detail = "This could not be stored now; send it again."
        job.done.set_exception(Unavailable(DATABASE_AWAY, detail, retry_after=2))


def _templates_in(items: Sequence[Item]) -> list[tuple[UUID, TemplateChanged]]:
    return [(item.instance_id, item.event) for item in items if isinstance(item.event, TemplateChanged)]


def _raw_of(job: Job) -> Raw:
    return Raw(job.provider, job.instance_id, job.normalized.event_name, job.normalized.raw)


def _dead_of(job: Job, broken: Broken) -> Dead:
    return Dead(job.provider, broken.instance_id or job.instance_id, broken.error, broken.raw)
