"""The web process: every slice's operations and background parts, put together. Nothing else knows them all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from elsehu import health, measuring
from elsehu.background import Background, Run, running
from elsehu.contracts.errors import ConfigError
from elsehu.desk import timeline
from elsehu.desk.automatic.assigner import Assigner
from elsehu.desk.people.scopes import scope_of
from elsehu.desk.realtime import CLIENT_EVENTS as DESK_CLIENT_EVENTS
from elsehu.desk.routes import OPERATIONS as DESK
from elsehu.http.middleware import middleware_of
from elsehu.http.openapi import documentation_routes
from elsehu.http.operations import Operation, routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.identity.authentication import provide_identity
from elsehu.identity.routes import OPERATIONS as IDENTITY
from elsehu.instances.directory import Directory
from elsehu.instances.realtime import EVENT_TYPES as INSTANCE_EVENTS
from elsehu.instances.routes import OPERATIONS as INSTANCES
from elsehu.instances.watch import Watch
from elsehu.kernel import Kernel, open_kernel
from elsehu.media.fetcher import Fetcher
from elsehu.media.routes import OPERATIONS as MEDIA
from elsehu.messaging.contacts.data import Keepers
from elsehu.messaging.conversations.reading import ReadReceipts
from elsehu.messaging.conversations.typing import TypingNotices
from elsehu.messaging.inbound.history import History
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.spool.draining import Drain
from elsehu.messaging.inbound.spool.spool import Spool
from elsehu.messaging.inbound.webhooks import webhook_routes
from elsehu.messaging.messages.views import media_settled
from elsehu.messaging.outbound.dispatcher import Dispatcher
from elsehu.messaging.outbound.settling import Settler
from elsehu.messaging.outbound.verdicts import Verdicts
from elsehu.messaging.realtime import CLIENT_EVENTS, EVENT_TYPES
from elsehu.messaging.routes import OPERATIONS as MESSAGING
from elsehu.plugins import Plugins
from elsehu.realtime.hub import Hub
from elsehu.realtime.notifier import Notifier
from elsehu.realtime.registry import Registry
from elsehu.realtime.relay import Relay
from elsehu.realtime.routes import OPERATIONS as REALTIME
from elsehu.realtime.socket import socket_endpoint
from elsehu.reporting.exports import background
from elsehu.reporting.routes import OPERATIONS as REPORTING
from elsehu.settings import Settings

KERNEL_OPERATIONS: Sequence[Operation] = (*IDENTITY, *INSTANCES, *MEDIA, *MESSAGING, *DESK, *REPORTING, *REALTIME)


def create_app(settings: Settings, plugins: Plugins) -> Starlette:
    """Return the ASGI app. Its kernel is opened when it starts and closed when it stops.

    Raises ConfigError where two plugins claim one name.
    """
    registry = registry_of(plugins)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_kernel(settings, plugins) as kernel:
            app.state.kernel = kernel
            async with running(provide_parts(kernel, registry)) as background:
                kernel.provide(Background, background)
                yield

    app = Starlette(
        routes=routes(settings, plugins),
        lifespan=lifespan,
        middleware=middleware_of(settings),
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    app.router.redirect_slashes = False
    return app


def operations_of(plugins: Plugins) -> list[Operation]:
    """Return every operation of the kernel and the enabled plugins. Raises ConfigError if two are at one place."""
    found: dict[tuple[str, str], Operation] = {}
    for one in (*KERNEL_OPERATIONS, *(item for _, item in plugins.registered("register_routes"))):
        other = found.setdefault((one.method, one.path), one)
        if other is not one:
            raise ConfigError(
                "route_conflict",
                f"Two parts serve {one.method} {one.path}: {other.handler.__module__} and {one.handler.__module__}. "
                "Enable only one of the plugins in [plugins] enabled, or update one.",
            )
    return list(found.values())


def registry_of(plugins: Plugins) -> Registry:
    """Return every event of the kernel and the enabled plugins. Raises ConfigError if two have one name."""
    return Registry(
        event_types=(*EVENT_TYPES, *INSTANCE_EVENTS, *(item for _, item in plugins.registered("register_events"))),
        client_events=(*CLIENT_EVENTS, *DESK_CLIENT_EVENTS),
    )


def routes(settings: Settings, plugins: Plugins) -> list[BaseRoute]:
    """Return every route: webhooks first, for they are the hottest."""
    operations = operations_of(plugins)
    documentation: list[Route] = documentation_routes(operations) if settings.server.docs else []
    return [
        *webhook_routes(),
        *health.routes(),
        *(measuring.routes() if settings.server.metrics else ()),
        WebSocketRoute("/ws", socket_endpoint),
        *routes_of(operations),
        *documentation,
    ]


def provide_parts(kernel: Kernel, registry: Registry) -> dict[str, Run]:
    """Build the process's long-lived parts on `kernel`; return those that run in the background."""
    identity = provide_identity(kernel, scope_of)
    kernel.provide(Directory, Directory(kernel))
    ingest = kernel.provide(Ingest, Ingest(kernel))
    drain = Drain(kernel, kernel.provide(Spool, Spool(kernel)))
    history = kernel.provide(History, History(kernel, ingest))
    kernel.provide(Verdicts, Verdicts(kernel))
    kernel.provide(Keepers, Keepers([timeline.CONTACT_DATA, background.CONTACT_DATA]))
    hub = kernel.provide(Hub, Hub(kernel, registry))
    tasks: dict[str, Run] = {
        "identity": identity.run,
        "ingest": ingest.run,
        "spool": drain.run,
        "read_receipts": kernel.provide(ReadReceipts, ReadReceipts(kernel)).run,
        "typing_notices": kernel.provide(TypingNotices, TypingNotices(kernel)).run,
        "hub": hub.run,
        "relay": kernel.provide(Relay, Relay(kernel, hub, registry)).run,
        "notifier": kernel.provide(Notifier, Notifier(kernel, registry)).run,
        "assigner": kernel.provide(Assigner, Assigner(kernel)).run,
    }
    if kernel.settings.messaging.dispatch_in_web:
        tasks |= provide_dispatch(kernel, history)
    return tasks


def provide_dispatch(kernel: Kernel, history: History) -> dict[str, Run]:
    """Build what talks to providers: sending, fetching media, watching instances, settling the unconfirmed."""
    watch = kernel.provide(Watch, Watch(kernel, [history.catch_up]))
    return {
        "dispatcher": kernel.provide(Dispatcher, Dispatcher(kernel)).run,
        "settler": kernel.provide(Settler, Settler(kernel)).run,
        "fetcher": kernel.provide(Fetcher, Fetcher(kernel, media_settled)).run,
        "watch": watch.run,
    }
