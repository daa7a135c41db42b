"""`/api/webhooks/{provider}`: where providers reach us. 200 means committed; 401 a stranger; 503 send it again."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from elsehu.contracts.errors import NotFound, Unavailable, WebhookRejected
from elsehu.contracts.instance import Instance
from elsehu.contracts.webhook import Accepted, Challenge, WebhookRequest
from elsehu.db import CONNECTION_LOST
from elsehu.http.bodies import read_body
from elsehu.http.operations import kernel_of
from elsehu.http.rate_limits import RateLimits, address_of
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import DATABASE_AWAY
from elsehu.messaging.inbound.spool.spool import Spool
from elsehu.messaging.inbound.taking import apply_accepted
from elsehu.plugins import Plugin
from elsehu.settings import MIB

log = structlog.get_logger("elsehu.webhooks")

PATHS = (
    "/api/webhooks/{provider}",
    "/api/webhooks/{provider}/{instance_id}",
    "/api/webhooks/{provider}/{instance_id}/{secret}",
)
LIMIT_FOR_STRANGERS = 16 * MIB
"""The largest body, in bytes, at an address that names no number: Meta's have at most 3 MB."""
OK = Response(b'{"status":"ok"}', media_type="application/json")


def webhook_routes() -> list[Route]:
    """Return the routes for webhooks."""
    return [Route(path, receive, methods=["GET", "POST"]) for path in PATHS]


async def receive(request: Request) -> Response:
    """Authenticate, normalise, commit, answer."""
    kernel, arrived = kernel_of(request), time.time_ns()
    plugin = kernel.plugins.provider(request.path_params["provider"])
    if plugin is None or plugin.info.provider is None:
        raise NotFound("provider_not_found", f"No enabled plugin provides {request.path_params['provider']!r}.")
    instance_id = _uuid(request.path_params.get("instance_id"))
    siblings = await kernel.part(Directory).of_provider(plugin.info.provider.name)
    instances = await _named(kernel, plugin.info.provider.name, instance_id) if instance_id else siblings
    webhook = await _read(kernel, request, instance_id, _limit(kernel, instance_id, instances))
    with _measured(kernel, plugin.info.provider.name):
        try:
            accepted = _authenticate(kernel, plugin, webhook, instances, siblings)
        except WebhookRejected:
            await kernel.part(RateLimits).count("anonymous", f"webhook {address_of(request)}")
            raise
        if isinstance(accepted, Challenge):
            return PlainTextResponse(accepted.text, accepted.status)
        await _commit_or_spool(kernel, plugin, accepted, arrived)
    return OK


async def _commit_or_spool(kernel: Kernel, plugin: Plugin, accepted: Accepted, arrived: int) -> None:
    """Return when a webhook is committed or, while the database is away, on this machine's disk.

    Raises Unavailable (503) if it is neither.
    """
    spool = kernel.part(Spool)
    if not spool.is_enabled:
        await apply_accepted(kernel, plugin, accepted)
    elif spool.holds or not await _committed(kernel, plugin, accepted):
        assert plugin.info.provider is not None
        await spool.keep(plugin.info.provider.name, accepted, arrived)


async def _committed(kernel: Kernel, plugin: Plugin, accepted: Accepted) -> bool:
    """Whether a webhook could be committed. Raises what has nothing to do with the database being away."""
    try:
        async with asyncio.timeout(kernel.settings.webhooks.spool_after):
            await apply_accepted(kernel, plugin, accepted)
    except Unavailable as error:
        if error.code != DATABASE_AWAY:
            raise
    except CONNECTION_LOST as error:
        log.warning("webhook_waited_too_long", plugin=plugin.info.name, error=type(error).__name__)
    else:
        return True
    return False


@contextmanager
def _measured(kernel: Kernel, provider: str) -> Iterator[None]:
    started, outcome = time.perf_counter(), "committed"
    try:
        yield
    except WebhookRejected:
        outcome = "refused"
        raise
    except BaseException:
        outcome = "unavailable"
        raise
    finally:
        kernel.metrics.webhook(provider, outcome, time.perf_counter() - started)


def _authenticate(
    kernel: Kernel,
    plugin: Plugin,
    webhook: WebhookRequest,
    instances: Sequence[Instance],
    siblings: Sequence[Instance],
) -> Accepted | Challenge:
    """Have the plugin authenticate a webhook; 401 is final for providers, so not while we cannot read secrets."""
    try:
        return kernel.plugins.receive(plugin, webhook, instances, siblings)
    except WebhookRejected:
        assert plugin.info.provider is not None
        if kernel.part(Directory).has_unreadable(plugin.info.provider.name):
            detail = "Some secrets cannot be read with the configured secret key; send this again later."
            raise Unavailable("wrong_secret_key", detail, retry_after=60) from None
        raise


def _limit(kernel: Kernel, instance_id: UUID | None, instances: Sequence[Instance]) -> int:
    """Return how large a body may be: whoever knows no number's address need not be heard out."""
    if instance_id is not None and instances:
        return kernel.settings.server.max_webhook_bytes
    return min(LIMIT_FOR_STRANGERS, kernel.settings.server.max_webhook_bytes)


async def _read(kernel: Kernel, request: Request, instance_id: UUID | None, limit: int) -> WebhookRequest:
    body = await read_body(request, limit, kernel.settings.server.body_timeout)
    return WebhookRequest(
        method=request.method,
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
        query=dict(request.query_params) if request.scope["query_string"] else {},
        body=body,
        instance_id=instance_id,
        path_secret=request.path_params.get("secret"),
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


async def _named(kernel: Kernel, provider: str, instance_id: UUID) -> Sequence[Instance]:
    instance = await kernel.part(Directory).get(instance_id)
    return [instance] if instance and instance.provider == provider else []
