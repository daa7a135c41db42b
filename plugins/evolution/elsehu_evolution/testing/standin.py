"""A stand-in at hand: in a thread of this process, or as a process of its own."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn

from .backend import Backend
from .control import perform
from .handle import Standin
from .options import Options
from .server import Server

PATIENCE = 30.0
T = TypeVar("T")


class EvolutionStandin(Standin):
    """A stand-in in a thread of this process, with an event loop of its own.

    ``stop`` and ``start`` take the server down and up on the same port, as a crash and a restart do: open
    connections are cut, webhooks under way are lost, what WhatsApp has for it waits.
    """

    def __init__(self, options: Options) -> None:
        self.global_key = options.global_key
        self._backend = Backend(options)
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evolution-standin", daemon=True)

    def open(self) -> None:
        """Start the thread and the server."""
        self._thread.start()
        self._looping.wait(PATIENCE)
        self._server = Server(self._backend)
        self.start()
        self.url = self._backend.url

    def close(self) -> None:
        """Stop the server and end the thread."""
        self.stop()
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def start(self) -> None:
        """Serve again; nothing happens if it does."""
        if self._server:
            self._wait(self._server.start())

    def stop(self) -> None:
        """Stop serving at once, with everything that was under way."""
        if self._server:
            self._wait(self._server.stop())

    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action in the stand-in's own loop."""

        async def act() -> Any:
            return perform(self._backend, action, arguments)

        return self._wait(act())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            raise RuntimeError("the stand-in is not running: use running_standin()")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _run(self) -> None:
        factory = uvicorn.Config("", loop="auto").get_loop_factory()
        with asyncio.Runner(loop_factory=factory) as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(self._looping.set)
            self._loop.run_forever()


class RemoteStandin(Standin):
    """A stand-in in another process, held by its URL."""

    def __init__(self, url: str, global_key: str = Options.global_key) -> None:
        self.url = url
        self.global_key = global_key
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)

    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action over HTTP."""
        response = self._client.post(f"/_test/{action}", json=arguments)
        if response.is_client_error:
            raise ValueError(response.text)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        """Close the connection to it; the process goes on."""
        self._client.close()


@contextmanager
def running_standin(**options: Any) -> Iterator[EvolutionStandin]:
    """Run a stand-in in a thread while the block lasts; ``options`` are those of ``Options``."""
    standin = EvolutionStandin(Options(**options))
    standin.open()
    try:
        yield standin
    finally:
        standin.close()


@contextmanager
def standin_process(**options: Any) -> Iterator[RemoteStandin]:
    """Run a stand-in as a process of its own while the block lasts: it then takes nothing of our CPU share."""
    command = [sys.executable, "-m", __package__, *_arguments(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise RuntimeError("the stand-in did not start: see its error output above")
        standin = RemoteStandin(url, options.get("global_key", Options.global_key))
        yield standin
        standin.close()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _arguments(options: dict[str, Any]) -> list[str]:
    arguments = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            arguments.append(f"--{flag}={value}")
    return arguments
