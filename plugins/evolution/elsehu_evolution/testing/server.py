"""The listening side: uvicorn in the stand-in's loop, taken down and up on one port."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from . import sessions
from .app import make_app
from .backend import Backend


class Listener(uvicorn.Server):
    """A uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.listening.set()


class Server:
    """Serves a backend. Must be used in one event loop; the world survives ``stop``."""

    def __init__(self, backend: Backend) -> None:
        self.port = backend.options.port
        self._backend = backend
        self._app = make_app(backend)
        self._uvicorn: Listener | None = None
        self._serving: asyncio.Task[None] | None = None
        self._started_before = False
        backend.outage = self.outage

    async def start(self) -> None:
        """Listen, bring the phones back that were linked, and take what WhatsApp kept for them."""
        if self._uvicorn is not None:
            return
        host = self._backend.options.host
        listening = _listen(host, self.port)
        self.port = listening.getsockname()[1]
        self._backend.url = self._backend.webhooks.server_url = f"http://{host}:{self.port}"
        self._uvicorn = Listener(_config(self._app))
        self._serving = asyncio.create_task(self._uvicorn.serve([listening]))
        await self._uvicorn.listening.wait()
        self._backend.up = True
        if self._started_before:
            self._come_back()
        self._started_before = True

    async def stop(self) -> None:
        """Go down at once, as a crash does: cut connections, drop requests, lose webhooks under way."""
        running, serving = self._uvicorn, self._serving
        if running is None or serving is None:
            return
        self._backend.up = False
        self._uvicorn = None
        for listener in running.servers:
            listener.close()
        for request in list(running.server_state.tasks):
            if request is not asyncio.current_task():
                request.cancel()
        for connection in list(running.server_state.connections):
            connection.transport.abort()
        self._backend.webhooks.stop()
        serving.cancel()
        await asyncio.wait([serving])

    async def outage(self, seconds: float) -> None:
        """Be down for a while."""
        await self.stop()
        await asyncio.sleep(seconds)
        await self.start()

    def _come_back(self) -> None:
        for instance in self._backend.world.instances.values():
            if instance.linked:
                sessions.restarted(self._backend, instance)
            elif instance.qr is not None:
                instance.qr = None
                instance.state = "close"


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=75,
    )
