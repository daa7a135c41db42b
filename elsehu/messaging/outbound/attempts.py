"""One attempt to send a claimed message: prepared, handed to its provider, and what came of it judged."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

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
from elsehu.db import CONNECTION_LOST
from elsehu.instances.asking import hide_secrets, trace_of
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.media import queries as media
from elsehu.messaging.inbound.locks import key_of
from elsehu.messaging.outbound.judging import Verdict, judge_error, judge_sent
from elsehu.messaging.outbound.queue import Limits
from elsehu.messaging.outbound.rates import Bucket
from elsehu.messaging.outbound.window import is_closed
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.dispatcher")

CLOSED_MEANWHILE = (
    "The customer's service window closed before this message could leave, so only a template may be sent: choose one "
    "of GET /api/templates and send it with kind `template`."
)
OPTED_OUT = "The customer asked for no such messages before this one could leave, so it was not sent."


def limits_of(kernel: Kernel, instance: Instance) -> Limits:
    """Return a number's own messages a second, else its provider's, and its provider's limit for one customer."""
    spec = kernel.plugins.spec(instance.provider)
    own: float | None = instance.settings.get("messages_per_second")
    return Limits(own or spec.messages_per_second, spec.pair_limit) if spec else Limits(own)


class Attempts:
    """Makes attempts, for one process: it remembers when each number last sent, and by which provider."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._settings = kernel.settings.messaging
        self._gates: dict[UUID, Bucket] = {}
        self._providers: dict[UUID, str] = {}

    async def attempt(self, row: Mapping[str, Any]) -> Verdict:
        """Send a message (a row of queue.CLAIMED) and return the verdict. Raises nothing, even when cancelled."""
        started = time.perf_counter()
        verdict = await self._verdict(row)
        provider = self._providers.get(row["instance_id"], "unknown")
        self._kernel.metrics.sent(provider, verdict.status, verdict.code or "", time.perf_counter() - started)
        return verdict

    async def _verdict(self, row: Mapping[str, Any]) -> Verdict:
        try:
            return judge_sent(await self._hand_over(row))
        except asyncio.CancelledError:
            error: Exception = OutcomeUnknown("interrupted", "Elsehu stopped while the provider had not answered.")
        except (ProviderError, ElsehuError, TimeoutError) as known:
            error = _named(known)
        except Exception as unexpected:
            log.exception("send_broke", instance=str(row["instance_id"]), message=str(row["id"]))
            error = unexpected
        log.info("send_failed", message=str(row["id"]), error=type(error).__name__, code=getattr(error, "code", None))
        now = self._kernel.now()
        return judge_error(error, row["attempts"], now - row["since"], self._settings, now)

    async def _hand_over(self, row: Mapping[str, Any]) -> Sent:
        instance, message = await self._prepare(row)
        await self._pass_gate(instance)
        if self._kernel.now() + timedelta(seconds=self._settings.send_timeout) > row["claimed_until"]:
            raise Retryable("too_late_to_send", "Elsehu stood still before it could send this message.")
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                return _with_news(await self._kernel.plugins.send(instance, message), message)
        except ProviderError as error:
            hide_secrets(self._kernel, instance, error)
            raise
        except (ElsehuError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's mistake must not stop the others
            trace = trace_of(self._kernel, instance, error)
            log.error("provider_send_broke", instance=str(instance.id), message=str(message.id), traceback=trace)
            name = type(error).__name__
            raise OutcomeUnknown("outcome_unknown", f"The provider plugin failed with {name}.") from None

    async def _pass_gate(self, instance: Instance) -> None:
        """Keep apart what was claimed apart: a process that stood still for a moment would send it all together."""
        rate, clock = limits_of(self._kernel, instance).rate, asyncio.get_running_loop().time
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
        self._providers[instance.id] = instance.provider
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


def _with_news(sent: Sent, message: OutboundMessage) -> Sent:
    """Return `sent` without its addresses where they are no news: all of them known to be the customer's."""
    known = {key_of(one) for one in message.to}
    return replace(sent, identities=()) if all(key_of(one) in known for one in sent.identities) else sent


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
