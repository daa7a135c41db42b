"""A real server on loopback, inside the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from elsehu.kernel import Kernel
from elsehu.plugins import load_plugins
from elsehu.realtime.serving import socket_options
from elsehu.settings import RealtimeSettings, Settings


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers at `url`; `kernel` is the one that it works with."""

    url: str
    app: Starlette

    @property
    def kernel(self) -> Kernel:
        """The kernel of the running app."""
        kernel: Kernel = self.app.state.kernel
        return kernel

    @property
    def websocket_url(self) -> str:
        """The address of `/ws`."""
        return self.url.replace("http", "ws", 1) + "/ws"


class _Server(uvicorn.Server):
    """A server that stops as soon as it is told to, where uvicorn's looks every 100 ms."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait until the server shall stop."""
        await self.on_tick(0)
        await self.told.wait()


@asynccontextmanager
async def running_server(
    app: Starlette, listening: socket.socket | None = None, realtime: RealtimeSettings | None = None
) -> AsyncIterator[RunningServer]:
    """Serve `app` with uvicorn (as `elsehu web` does) on a free loopback port, or on `listening`."""
    listening = listening or listen_on_loopback()
    options = socket_options(realtime or RealtimeSettings())
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2, **options)
    server = _Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server stopped before it was ready")
        await asyncio.sleep(0.005)
    try:
        yield RunningServer(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.told.set()
        await task


@asynccontextmanager
async def running_web(settings: Settings) -> AsyncIterator[RunningServer]:
    """Serve the whole of Elsehu's web process on loopback; its own address is its public URL."""
    from elsehu.app import create_app

    listening = listen_on_loopback()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    own = settings.model_copy(update={"public_url": url})
    async with running_server(create_app(own, load_plugins(own)), listening, own.realtime) as running:
        yield running


def listen_on_loopback(port: int = 0) -> socket.socket:
    """Return a listening TCP socket on 127.0.0.1 (a free port where `port` is 0)."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(2048)
    return listening
