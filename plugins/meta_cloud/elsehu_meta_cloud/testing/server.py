"""The listening side: the Graph API and the file host, each on a port of its own."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from .api import make_api, make_file_host
from .backend import Backend

STOP_SECONDS = 1


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
    """Serves a backend on two ports. Must be used in one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._running: list[tuple[Listener, asyncio.Task[None]]] = []

    async def start(self) -> None:
        """Listen."""
        options = self._backend.options
        self._backend.url = await self._serve(make_api(self._backend), options.host, options.port)
        self._backend.files_url = await self._serve(make_file_host(self._backend), options.host, options.files_port)

    async def stop(self) -> None:
        """Stop listening, and end what was under way."""
        for listener, _ in self._running:
            listener.should_exit = listener.force_exit = True
        await asyncio.gather(*(task for _, task in self._running), return_exceptions=True)
        self._running.clear()
        await self._backend.close()

    async def _serve(self, app: ASGIApp, host: str, port: int) -> str:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        listener = Listener(config)
        self._running.append((listener, asyncio.create_task(listener.serve([listening]))))
        await listener.listening.wait()
        return f"http://{host}:{listening.getsockname()[1]}"
