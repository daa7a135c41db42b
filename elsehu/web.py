"""The web process: uvicorn around the app. Several of them stand behind one proxy."""

import asyncio

import uvicorn

from elsehu.app import create_app
from elsehu.first_start import check_migrated
from elsehu.listening import listening
from elsehu.plugins import Plugins
from elsehu.realtime.serving import socket_options
from elsehu.settings import Settings

KEEP_ALIVE_SECONDS = 75


def serve_web(settings: Settings, plugins: Plugins) -> None:
    """Serve until asked to stop by SIGTERM or SIGINT (main thread only).

    Raises ConfigError `port_unusable`, ElsehuError `not_migrated`, and one of `db.CONNECTION_LOST` if PostgreSQL
    is away at the start.
    """
    with listening(settings.server.host, settings.server.port) as sock:
        asyncio.run(check_migrated(settings, plugins))
        server = uvicorn.Server(_config(settings, plugins))
        server.run(sockets=[sock])
    if not server.started:
        raise SystemExit(1)


def _config(settings: Settings, plugins: Plugins) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, plugins),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.server.trusted_proxies),
        forwarded_allow_ips=settings.server.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.server.stop_seconds),
        **socket_options(settings.realtime),
    )
