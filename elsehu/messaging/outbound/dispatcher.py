"""The dispatcher: claims what is due, hands each message to its provider, records what became of it.

Any number of processes run one. What may leave is decided by the claim (queue.py), what an error means by
judging.py; here is only the coming and going.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import structlog

from elsehu import events
from elsehu.background import woken
from elsehu.contracts.errors import (
    ElsehuError,
    InstanceSick,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Retryable,
    Unavailable,
)
from elsehu.contracts.instance import Instance, InstanceStatus
from elsehu.contracts.message import Direction, Identity, IdentityKind, Kind
from elsehu.contracts.outbound import OutboundMessage, Quoted, Sent
from elsehu.db import CONNECTION_LOST, UnitOfWork
from elsehu.instances import service as instances
from elsehu.instances.asking import hide_secrets
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.media import queries as media
from elsehu.messaging.inbound.batch import Batch
from elsehu.messaging.inbound.retrying import commit_batch
from elsehu.messaging.outbound import queue, results
from elsehu.messaging.outbound.judging import Verdict, judge_error, judge_sent
from elsehu.messaging.outbound.queue import Limits, Slots
from elsehu.messaging.outbound.rates import Bucket
from elsehu.messaging.outbound.results import Result
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.messaging.outbound.window import is_closed
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.dispatcher")

IDLE_SECONDS = 1.0
SHORTEST_SECONDS = 0.01
LEASE_SLACK = timedelta(seconds=5)
DRAIN_SECONDS = 10.0
RECORD_AGAIN_SECONDS = 0.2
CLOSED_MEANWHILE = (
    "The customer's service window closed before this message could leave, so only a template may be sent: choose one "
    "of GET /api/templates and send it with kind `template`."
)
OPTED_OUT = "The customer asked for no such messages before this one could leave, so it was not sent."
BULK_SHARE = 0.75
"""The share of the messages in flight that lanes may have, however slow their provider is."""


class Dispatcher:
    """Sends what is due, as long as `run` runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._settings = kernel.settings.messaging
        self._wake = kernel.signals.event("outbound")
        self._in_flight: set[asyncio.Task[None]] = set()
        self._bulk_in_flight = 0
        self._gates: dict[UUID, Bucket] = {}
        self._finished: list[Result] = []
        self._has_finished = asyncio.Event()

    async def run(self) -> None:
        """Dispatch until cancelled; then let what is in flight finish, for a while."""
        recorder = asyncio.create_task(self._record_forever())
        try:
            while True:
                pause = await self._round()
                if pause > 0:
                    await woken(self._wake, pause)
        finally:
            await self._drain()
            recorder.cancel()
            await asyncio.gather(recorder, return_exceptions=True)
            await self._record_all()

    async def _round(self) -> float:
        """Claim and start what may be sent now. Returns the seconds to pause before the next round."""
        free = self._free()
        if free.all <= 0:
            return IDLE_SECONDS
        rows, next_at = await self._claim(free)
        for row in rows:
            self._start(row)
        return 0 if len(rows) == free.all else self._seconds_until(next_at)

    def _free(self) -> Slots:
        """Return how many messages may be started; lanes never get all, so that an answer always finds a place."""
        most = self._settings.concurrency
        return Slots(most - len(self._in_flight), max(1, int(most * BULK_SHARE)) - self._bulk_in_flight)

    def _start(self, row: Mapping[str, Any]) -> None:
        task = asyncio.create_task(self._send(row))
        self._in_flight.add(task)
        self._bulk_in_flight += row["lane"]
        task.add_done_callback(partial(self._landed, row["lane"]))

    def _landed(self, lane: int, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._bulk_in_flight -= lane
        self._wake.set()

    async def _claim(self, free: Slots) -> tuple[Sequence[Mapping[str, Any]], datetime | None]:
        """Claim what may be started. Returns it, and when more may be due."""
        async with self._kernel.db.reader() as uow:
            found = await queue.look(uow, self._kernel.now())
        next_at = min((row["next_at"] for row in found if row["next_at"]), default=None)
        ready = [row for row in found if row["has_own"] or (row["has_bulk"] and free.bulk > 0)]
        if not ready:
            return [], next_at
        limits = {row["id"]: await self._limits(row["id"]) for row in ready}
        async with self._kernel.db.transaction() as uow:
            budgets = await queue.budgets(uow, ready, limits, self._kernel.now())
            rows = await queue.claim(uow, budgets, free, self._kernel.now(), self._lease)
            if any(row["attempts"] > 1 for row in rows):
                uow.signal(events.SIGNAL)
            more_at = await queue.more_at(uow, budgets, rows, self._kernel.now())
        return rows, min(filter(None, (next_at, more_at)), default=None)

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.send_timeout) + LEASE_SLACK

    def _seconds_until(self, at: datetime | None) -> float:
        if at is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(SHORTEST_SECONDS, (at - self._kernel.now()).total_seconds()))

    async def _limits(self, instance_id: UUID) -> Limits:
        """Return the limits of an instance.

        One whose secrets cannot be read has none: it must not hold up the others, and its first message will hold it.
        """
        try:
            instance = await self._kernel.part(Directory).get(instance_id)
        except WrongSecretKey:
            return Limits()
        return Limits() if instance is None else self._limits_of(instance)

    def _limits_of(self, instance: Instance) -> Limits:
        """Return its own messages a second, else its provider's, and its provider's limit for one customer."""
        spec = self._kernel.plugins.spec(instance.provider)
        own: float | None = instance.settings.get("messages_per_second")
        return Limits(own or spec.messages_per_second, spec.pair_limit) if spec else Limits(own)

    async def _send(self, row: Mapping[str, Any]) -> None:
        verdict = await self._attempt(row)
        self._finished.append(Result(row["id"], row["instance_id"], row["claimed_until"], verdict))
        self._has_finished.set()

    async def _attempt(self, row: Mapping[str, Any]) -> Verdict:
        age = self._kernel.now() - row["since"]
        try:
            return judge_sent(await self._hand_over(row))
        except asyncio.CancelledError:
            error: Exception = OutcomeUnknown("interrupted", "Elsehu stopped while the provider had not answered.")
        except (ProviderError, ElsehuError, TimeoutError) as known:
            error = _named(known)
        except Exception as unexpected:
            log.exception("provider_send_broke", instance=str(row["instance_id"]), message=str(row["id"]))
            error = unexpected
        log.info("send_failed", message=str(row["id"]), error=type(error).__name__, code=getattr(error, "code", None))
        return judge_error(error, row["attempts"], age, self._settings, self._kernel.now())

    async def _hand_over(self, row: Mapping[str, Any]) -> Sent:
        instance, message = await self._prepare(row)
        await self._pass_gate(instance)
        if self._kernel.now() + timedelta(seconds=self._settings.send_timeout) > row["claimed_until"]:
            raise Retryable("too_late_to_send", "Elsehu stood still before it could send this message.")
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                return await self._kernel.plugins.send(instance, message)
        except ProviderError as error:
            hide_secrets(self._kernel, instance, error)
            raise

    async def _pass_gate(self, instance: Instance) -> None:
        """Keep apart what was claimed apart: a process that stands still for a moment sends it all at once after that.

        So a number's rate is kept where messages leave, too.
        """
        rate, clock = self._limits_of(instance).rate, asyncio.get_running_loop().time
        if rate is None:
            return
        gate = self._gates.get(instance.id)
        if gate is None or gate.rate != rate:
            gate = self._gates[instance.id] = Bucket.full(rate, clock())
        await asyncio.sleep(gate.take(clock()))

    async def _prepare(self, row: Mapping[str, Any]) -> tuple[Instance, OutboundMessage]:
        """Gather what is to be sent. Whatever fails here, the message certainly did not leave."""
        try:
            instance = await self._kernel.part(Directory).get(row["instance_id"])
            message = await self._outbound(row)
        except WrongSecretKey as error:
            detail = "The number's credentials cannot be read with the configured secret key."
            raise InstanceSick("wrong_secret_key", detail, InstanceStatus.BLOCKED) from error
        except CONNECTION_LOST as error:
            raise Retryable("dependency_down", "The database was away.") from error
        if instance is None:
            raise Rejected("instance_unknown", "The number that this message was to leave from is gone.")
        if row["is_unwanted"]:
            raise Rejected("opted_out", OPTED_OUT)
        self._require_window(instance, message, row["window_expires_at"])
        return instance, message

    def _require_window(self, instance: Instance, message: OutboundMessage, expires_at: datetime | None) -> None:
        """Refuse what the window closed on while it waited. Raises Rejected."""
        spec = self._kernel.plugins.spec(instance.provider)
        if spec is not None and is_closed(spec, message.kind, expires_at, self._kernel.now()):
            raise Rejected("window_closed", CLOSED_MEANWHILE)

    async def _outbound(self, row: Mapping[str, Any]) -> OutboundMessage:
        return OutboundMessage(
            id=row["id"],
            client_ref=str(row["id"]),
            to=[_identity(address) for address in row["addresses"] or ()],
            kind=Kind(row["kind"]),
            text=row["text"],
            media=await media.load(self._kernel, row["media_id"]) if row["media_id"] else None,
            payload=orjson.loads(row["payload"]) if row["payload"] else {},
            quoted=_quoted(row),
            attempt=row["attempts"],
        )

    async def _record_forever(self) -> None:
        while True:
            await self._has_finished.wait()
            self._has_finished.clear()
            await self._record_all()

    async def _record_all(self) -> None:
        """Write down the finished sends, however long the database is away: they did happen.

        They stay in the list until they are written, so that being cancelled loses none.
        """
        while self._finished:
            finished = list(self._finished)
            try:
                await self._record(finished)
            except CONNECTION_LOST as error:
                log.warning("results_wait_for_database", results=len(finished), error=type(error).__name__)
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                continue
            except Exception:
                log.exception("results_recorded_one_by_one", results=len(finished))
                await self._record_one_by_one(finished)
            del self._finished[: len(finished)]

    async def _record_one_by_one(self, finished: Sequence[Result]) -> None:
        """Keep one result that cannot be written from sinking the others; its claim runs out as `unconfirmed`."""
        for result in finished:
            try:
                await self._record([result])
            except CONNECTION_LOST:
                self._finished.append(result)
            except Exception:
                log.exception("result_cannot_be_recorded", message=str(result.message_id))

    async def _record(self, finished: Sequence[Result]) -> None:
        async with self._kernel.db.transaction() as uow:
            await results.record(uow, finished, self._kernel.now())
            await self._hold(uow, finished)
            uow.signal("outbound")
        self._kernel.part(Verdicts).tell(one.message_id for one in finished)
        await self._learn(finished)

    async def _hold(self, uow: UnitOfWork, finished: Sequence[Result]) -> None:
        holds = [(one.instance_id, one.verdict) for one in finished if one.verdict.hold_until]
        strictest = dict(sorted(holds, key=lambda one: (one[0], one[1].instance_status is not None, one[1].hold_until)))
        for instance_id, verdict in strictest.items():
            assert verdict.hold_until is not None
            await instances.hold(uow, instance_id, verdict.hold_until, verdict.detail or "", verdict.instance_status)

    async def _learn(self, finished: Sequence[Result]) -> None:
        links = results.learned(finished)
        if links:
            await commit_batch(self._kernel, lambda: Batch(links=links))

    async def _drain(self) -> None:
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _named(error: Exception) -> Exception:
    if isinstance(error, TimeoutError):
        return OutcomeUnknown("send_timeout", "The provider did not answer in time; it may have taken the message.")
    if isinstance(error, ProviderError):
        return error
    assert isinstance(error, ElsehuError)
    if isinstance(error, Unavailable):
        return Retryable(error.code, error.detail, retry_after=error.retry_after)
    return Rejected(error.code, error.detail)


def _identity(address: Sequence[str]) -> Identity:
    kind, value, spelling, scope = address
    return Identity(IdentityKind(kind), value, spelling, scope)


def _quoted(row: Mapping[str, Any]) -> Quoted | None:
    if row["reply_to_external_id"] is None:
        return None
    return Quoted(row["reply_to_external_id"], row["quoted_direction"] == Direction.OUTBOUND, row["quoted_text"])
